//! The last line: a question, what went wrong, what was said, or what the keys do.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use crate::fetch::Order;
use crate::model::{Model, Notice};
use crate::theme::Theme;

const KEYS: &str = "q quit  ? help  tab table  s stacks  r recycle  R reload  o order";

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let (text, look) = said(model, theme);
    frame.render_widget(Paragraph::new(Line::styled(text, look)), area);
}

fn said(model: &Model, theme: Theme) -> (String, Style) {
    if let Some(order) = model.question {
        return (question(order), theme.notable());
    }
    if let Some(trouble) = &model.trouble {
        let first = trouble.lines().next().unwrap_or_default();
        return (format!("no answer, trying again: {first}"), theme.bad());
    }
    match &model.notice {
        Notice::Wrong(text) => (text.clone(), theme.bad()),
        Notice::Said(text) => (text.clone(), theme.strong()),
        Notice::None => (KEYS.to_owned(), theme.faint()),
    }
}

fn question(order: Order) -> String {
    match order {
        Order::Recycle { worker, pid: Some(pid) } => format!("recycle worker {worker} (pid {pid})? y/n"),
        Order::Recycle { worker, pid: None } => format!("recycle worker {worker}? y/n"),
        Order::Reload => "reload: replace all workers? y/n".to_owned(),
        Order::Stacks { worker, .. } => format!("show the stacks of worker {worker}? y/n"),
    }
}
