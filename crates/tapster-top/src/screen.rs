//! Draws the model. Sizes follow the screen: the curve and the second table go first where it is small.

mod footer;
mod pane;
mod tables;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::{Paragraph, Sparkline};

use crate::header;
use crate::model::{Focus, Model, Pane};
use crate::theme::Theme;

/// Lines below which only the table of the keys is shown.
const BOTH_TABLES: u16 = 20;
/// Lines below which there is no curve.
const CURVE: u16 = 12;

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &mut Model, theme: Theme) {
    let area = frame.area();
    let lines = header::lines(&model.reading, &model.sample, theme);
    let curve = if area.height < CURVE { 0 } else { 1 + u16::from(area.height >= BOTH_TABLES) };
    let header = (lines.len() as u16).min(area.height.saturating_sub(4));
    let heights = [header, curve].map(Constraint::Length);
    let [top, middle, rest, bottom] =
        Layout::vertical([heights[0], heights[1], Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    frame.render_widget(Paragraph::new(lines), top);
    draw_curve(frame, middle, model, theme);
    model.page = usize::from(rest.height.saturating_sub(1)).max(1);
    match &model.pane {
        Pane::None => draw_tables(frame, rest, model, theme),
        Pane::Help => pane::help(frame, rest, theme),
        Pane::Text { title, lines, first } => pane::text(frame, rest, (title, lines, *first), theme),
    }
    footer::draw(frame, bottom, model, theme);
}

/// Requests per second over time, the last on the right.
fn draw_curve(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let width = usize::from(area.width);
    let missing = width.saturating_sub(model.rates.len());
    let skipped = model.rates.len().saturating_sub(width);
    let data = std::iter::repeat_n(0, missing).chain(model.rates.iter().skip(skipped).copied());
    frame.render_widget(Sparkline::default().data(data.collect::<Vec<u64>>()).style(theme.good()), area);
}

fn draw_tables(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    if frame.area().height < BOTH_TABLES {
        return match model.focus {
            Focus::Workers => tables::workers(frame, area, model, theme),
            Focus::Threads => tables::threads(frame, area, model, theme),
        };
    }
    // Its head, its title and its rows; at most half of the room.
    let wanted = (model.workers.len() as u16).saturating_add(2).min(area.height / 2);
    let [workers, threads] = Layout::vertical([Constraint::Length(wanted), Constraint::Fill(1)]).areas(area);
    tables::workers(frame, workers, model, theme);
    tables::threads(frame, threads, model, theme);
}

#[cfg(test)]
mod tests;
