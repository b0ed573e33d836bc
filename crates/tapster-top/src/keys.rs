//! What each key does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tapster_config::TopOrder;

use crate::fetch::Order;
use crate::model::{Focus, Model, Notice, Pane};

/// What follows from a key beyond what is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// The server is to do something.
    Order(Order),
    /// The terminal is the shell's until it says otherwise.
    Suspend,
    /// The operator has seen enough.
    Quit,
}

/// The keys, for the help.
pub(crate) const HELP: [(&str, &str); 10] = [
    ("up, down, k, j", "select a worker or a thread, or scroll"),
    ("PgUp, PgDn, Home, End", "the same in large steps"),
    ("tab, Enter", "go to the other table: workers or threads"),
    ("o", "order workers by another column"),
    ("s", "show the Python stacks of the worker, or of the thread"),
    ("r", "recycle the worker: replace it when its successor is ready"),
    ("R", "reload: replace all workers"),
    ("esc", "close what lies over the tables"),
    ("?", "this help"),
    ("q, Ctrl-C", "quit"),
];

/// Does what a key asks for.
pub(crate) fn press(model: &mut Model, key: KeyEvent) -> Then {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c' | 'd') => Then::Quit,
            KeyCode::Char('z') => Then::Suspend,
            _ => Then::Nothing,
        };
    }
    if let Some(order) = model.question.take() {
        return answer(model, order, key.code);
    }
    model.notice = Notice::None;
    if let Some(by) = steps(key.code, model.page) {
        model.go(by);
        return Then::Nothing;
    }
    match key.code {
        KeyCode::Esc | KeyCode::Char('q') if model.pane != Pane::None => model.pane = Pane::None,
        KeyCode::Char('q') => return Then::Quit,
        KeyCode::Char('?') | KeyCode::F(1) => {
            model.pane = if model.pane == Pane::Help { Pane::None } else { Pane::Help };
        }
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Enter => change_focus(model),
        KeyCode::Char('o') => {
            model.order = next(model.order);
            model.arrange();
        }
        KeyCode::Char('s') => return show_stacks(model),
        KeyCode::Char('r') => ask_to_recycle(model),
        KeyCode::Char('R') => model.question = Some(Order::Reload),
        _ => {}
    }
    Then::Nothing
}

/// How far a key moves.
fn steps(key: KeyCode, page: usize) -> Option<isize> {
    let page = isize::try_from(page.max(1)).unwrap_or(isize::MAX);
    Some(match key {
        KeyCode::Up | KeyCode::Char('k') => -1,
        KeyCode::Down | KeyCode::Char('j') => 1,
        KeyCode::PageUp => -page,
        KeyCode::PageDown | KeyCode::Char(' ') => page,
        KeyCode::Home | KeyCode::Char('g') => isize::MIN,
        KeyCode::End | KeyCode::Char('G') => isize::MAX,
        _ => return None,
    })
}

fn answer(model: &mut Model, order: Order, key: KeyCode) -> Then {
    match key {
        KeyCode::Char('y' | 'Y') => {
            let under_way = if order == Order::Reload { "reloading …" } else { "ordered …" };
            model.notice = Notice::Said(under_way.to_owned());
            Then::Order(order)
        }
        _ => {
            model.notice = Notice::Said("nothing is done".to_owned());
            Then::Nothing
        }
    }
}

fn change_focus(model: &mut Model) {
    model.pane = Pane::None;
    model.focus = match model.focus {
        Focus::Workers => Focus::Threads,
        Focus::Threads => Focus::Workers,
    };
}

fn show_stacks(model: &mut Model) -> Then {
    let Some((worker, thread)) = model.selected() else { return Then::Nothing };
    model.notice = Notice::Said("collecting stacks …".to_owned());
    Then::Order(Order::Stacks { worker, thread })
}

fn ask_to_recycle(model: &mut Model) {
    if let Some((worker, _)) = model.selected() {
        model.question = Some(Order::Recycle { worker, pid: model.pid(worker) });
    }
}

fn next(order: TopOrder) -> TopOrder {
    match order {
        TopOrder::Worker => TopOrder::Requests,
        TopOrder::Requests => TopOrder::Cpu,
        TopOrder::Cpu => TopOrder::Memory,
        TopOrder::Memory => TopOrder::Busy,
        TopOrder::Busy => TopOrder::Worker,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::reading;

    fn typed(model: &mut Model, keys: &str) -> Vec<Then> {
        keys.chars().map(|key| press(model, KeyEvent::from(KeyCode::Char(key)))).collect()
    }

    #[test]
    fn a_worker_is_recycled_when_that_is_confirmed() {
        let mut model = Model::new(reading(), TopOrder::Worker);
        let order = Order::Recycle { worker: 2, pid: Some(4712) };
        assert_eq!(typed(&mut model, "jrn").last(), Some(&Then::Nothing));
        assert_eq!(model.notice, Notice::Said("nothing is done".to_owned()));
        assert_eq!(typed(&mut model, "ry"), [Then::Nothing, Then::Order(order)]);
        assert_eq!(typed(&mut model, "y"), [Then::Nothing], "once");
        assert_eq!(typed(&mut model, "Ry"), [Then::Nothing, Then::Order(Order::Reload)]);
    }

    #[test]
    fn stacks_are_those_of_the_selected_row() {
        let mut model = Model::new(reading(), TopOrder::Worker);
        assert_eq!(typed(&mut model, "s"), [Then::Order(Order::Stacks { worker: 1, thread: None })]);
        press(&mut model, KeyEvent::from(KeyCode::Tab));
        assert_eq!(typed(&mut model, "s"), [Then::Order(Order::Stacks { worker: 1, thread: Some(2) })]);
    }

    #[test]
    fn q_closes_what_is_open_and_then_everything() {
        let mut model = Model::new(reading(), TopOrder::Worker);
        assert_eq!(typed(&mut model, "?qq"), [Then::Nothing, Then::Nothing, Then::Quit]);
        let control = |key| KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL);
        assert_eq!(
            [press(&mut model, control('c')), press(&mut model, control('z'))],
            [Then::Quit, Then::Suspend]
        );
    }

    #[test]
    fn orders_come_round() {
        let mut model = Model::new(reading(), TopOrder::Worker);
        typed(&mut model, "oo");
        assert_eq!(model.order, TopOrder::Cpu);
        typed(&mut model, "ooo");
        assert_eq!(model.order, TopOrder::Worker);
        typed(&mut model, "G");
        assert_eq!(model.selected(), Some((3, None)));
    }
}
