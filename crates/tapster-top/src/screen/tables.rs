//! The tables of workers and of threads.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Cell, Row, Table, TableState};
use tapster_config::TopOrder;

use crate::columns::{Column, GAP, THREADS, WORKERS, fitting};
use crate::model::{Focus, Model};
use crate::rows::{ThreadRow, WorkerRow};
use crate::theme::Theme;

/// Seconds after which a request is slow, and very slow.
const SLOW: [f64; 2] = [1.0, 10.0];

pub(super) fn workers(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let title = format!("workers by {}", name(model.order));
    let table = Shown { columns: fitting(&WORKERS, area.width.into()), rows: &model.workers, title };
    table.draw(frame, area, (model, Focus::Workers), theme, |row| look_of_worker(row, theme));
}

pub(super) fn threads(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let busy = model.reading.running.len();
    let title = format!("threads: {busy} in requests");
    let table = Shown { columns: fitting(&THREADS, area.width.into()), rows: &model.threads, title };
    table.draw(frame, area, (model, Focus::Threads), theme, |row| look_of_thread(row, theme));
}

fn name(order: TopOrder) -> &'static str {
    match order {
        TopOrder::Worker => "number",
        TopOrder::Requests => "requests",
        TopOrder::Cpu => "cpu",
        TopOrder::Memory => "memory",
        TopOrder::Busy => "busy threads",
    }
}

fn look_of_worker(row: &WorkerRow, theme: Theme) -> Style {
    if row.status.state == "ready" { Style::new() } else { theme.notable() }
}

fn look_of_thread(row: &ThreadRow, theme: Theme) -> Style {
    match &row.runs {
        None => theme.faint(),
        Some(running) if running.seconds >= SLOW[1] => theme.bad(),
        Some(running) if running.seconds >= SLOW[0] => theme.notable(),
        Some(_) => Style::new(),
    }
}

/// A table with what it shows.
struct Shown<'a, R> {
    columns: &'a [Column<R>],
    rows: &'a [R],
    title: String,
}

impl<R> Shown<'_, R> {
    fn draw(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        (model, own): (&Model, Focus),
        theme: Theme,
        look: impl Fn(&R) -> Style,
    ) {
        let has_keys = model.focus == own;
        let title = if has_keys { theme.strong() } else { theme.faint() };
        let mark = if has_keys { "▸ " } else { "  " };
        let head = self.columns.iter().map(|column| cell(column, column.head.to_owned()));
        let rows = self.rows.iter().map(|row| {
            Row::new(self.columns.iter().map(|column| cell(column, (column.cell)(row)))).style(look(row))
        });
        let last = self.columns.len().saturating_sub(1);
        let widths =
            self.columns.iter().enumerate().map(|(place, column)| match (place == last, column.is_text) {
                (true, true) => Constraint::Fill(1),
                _ => Constraint::Length(column.width as u16),
            });
        let table = Table::new(rows, widths)
            .header(Row::new(head).style(theme.label()))
            .column_spacing(GAP as u16)
            .block(Block::new().title(Line::styled(format!("{mark}{}", self.title), title)))
            .row_highlight_style(if has_keys { theme.chosen() } else { Style::new() });
        let mut state = TableState::new().with_selected(Some(model.place(own)));
        frame.render_stateful_widget(table, area, &mut state);
    }
}

fn cell<R>(column: &Column<R>, text: String) -> Cell<'static> {
    let alignment = if column.is_text { Alignment::Left } else { Alignment::Right };
    Cell::from(Text::from(Line::from(text).alignment(alignment)))
}
