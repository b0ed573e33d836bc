//! What lies over the tables: stacks, what the server said, and the help.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use crate::keys;
use crate::theme::Theme;

/// A text from its first visible line on.
pub(super) fn text(
    frame: &mut Frame<'_>,
    area: Rect,
    (title, lines, first): (&str, &[String], usize),
    theme: Theme,
) {
    let room = usize::from(area.height.saturating_sub(1));
    let last = (first + room).min(lines.len());
    let title = format!("{title} ({last} of {} lines, esc closes)", lines.len());
    let shown = lines.iter().skip(first).take(room).map(|line| Line::raw(line.clone()));
    show(frame, area, title, shown.collect(), theme);
}

/// What the keys do.
pub(super) fn help(frame: &mut Frame<'_>, area: Rect, theme: Theme) {
    let lines = keys::HELP.iter().map(|(keys, does)| {
        Line::from(vec![Span::styled(format!("  {keys:22}"), theme.label()), Span::raw(*does)])
    });
    show(frame, area, "keys (esc closes)".to_owned(), lines.collect(), theme);
}

fn show(frame: &mut Frame<'_>, area: Rect, title: String, lines: Vec<Line<'_>>, theme: Theme) {
    let block = Block::new().title(Line::styled(title, theme.strong()));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
