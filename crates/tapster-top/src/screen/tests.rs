//! Screens of several sizes, as a terminal would show them.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use tapster_config::TopOrder;

use super::*;
use crate::fetch::News;
use crate::keys::press;
use crate::model::tests::reading;

fn model() -> Model {
    let mut model = Model::new(reading(), TopOrder::Worker);
    let mut later = reading();
    later.status.uptime += 2.0;
    later.status.totals.requests += 84;
    model.learn(News::Reading(Ok(Box::new(later))));
    model
}

/// The lines of a screen, without spaces at their ends.
fn shown(model: &mut Model, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model, Theme::new(true))).unwrap();
    let text = terminal.backend().to_string();
    text.lines().map(|line| line.trim_matches('"').trim_end().to_owned()).collect()
}

fn key(model: &mut Model, key: char) {
    press(model, KeyEvent::from(KeyCode::Char(key)));
}

#[test]
fn eighty_columns_show_everything_that_matters() {
    let lines = shown(&mut model(), 80, 24);
    let text = lines.join("\n");
    assert_eq!(lines[0], "tapster 0.1.0  pid 4710  serving for 1 h 1 min  shop.wsgi:app");
    assert!(lines[1].starts_with("requests/s 42   errors/s 0   refused/s 0"), "{text}");
    assert!(lines[2].starts_with("p50 -   p90 -   p99 -"), "{text}");
    assert!(lines[3].starts_with("busy 2/4   waiting 0   clients 9   listen queue 3/2048"), "{text}");
    assert!(
        lines[4].starts_with("cpu 0 %   memory 180 MiB   workers 2/2   generation 0   reload ok 1 min 5 s"),
        "{text}"
    );
    assert!(lines[5].ends_with('█') && lines[6].ends_with('█'), "{text}");
    assert_eq!(lines[7], "▸ workers by number");
    assert_eq!(lines[8], "worker     pid state        req/s    busy    cpu   memory waiting          age");
    assert_eq!(lines[9], "     1    4711 ready            0     2/2      -   60 MiB       0   1 min 30 s");
    assert!(lines[11].contains("      - booting"), "{text}");
    assert_eq!(lines[12], "  threads: 2 in requests");
    assert_eq!(lines[13], "worker thread         time request");
    assert_eq!(lines[14], "     1      2       12.2 s GET /slow/report");
    assert_eq!(lines[16], "     2      1              idle");
    assert!(lines[23].starts_with("q quit  ? help"), "{text}");
}

#[test]
fn a_small_screen_shows_the_table_of_the_keys() {
    let mut model = model();
    let lines = shown(&mut model, 60, 15);
    assert_eq!(lines[6], "▸ workers by number");
    assert_eq!(lines[8], "     1    4711 ready            0     2/2      -   60 MiB");
    assert!(lines.iter().all(|line| !line.contains("threads:")));
    press(&mut model, KeyEvent::from(KeyCode::Tab));
    let lines = shown(&mut model, 60, 15);
    assert_eq!(
        (&*lines[6], &*lines[8]),
        ("▸ threads: 2 in requests", "     1      2       12.2 s GET /slow/report")
    );
}

#[test]
fn any_size_can_be_drawn() {
    for pane in
        [Pane::None, Pane::Help, Pane::Text { title: String::new(), lines: vec![String::new()], first: 0 }]
    {
        for (width, height) in [(1, 1), (3, 2), (200, 3), (2, 200), (300, 100), (20, 5)] {
            let mut model = model();
            model.pane = pane.clone();
            assert_eq!(shown(&mut model, width, height).len(), usize::from(height));
        }
    }
}

#[test]
fn questions_answers_and_trouble_stand_below() {
    let mut model = model();
    let last = |model: &mut Model| shown(model, 80, 24).pop().unwrap();
    key(&mut model, 'r');
    assert_eq!(last(&mut model), "recycle worker 1 (pid 4711)? y/n");
    key(&mut model, 'n');
    key(&mut model, 'R');
    assert_eq!(last(&mut model), "reload: replace all workers? y/n");
    key(&mut model, 'y');
    model.learn(News::Said(Ok("reloaded in 1.50 s\n".to_owned())));
    assert_eq!(last(&mut model), "reloaded in 1.50 s");
    model.learn(News::Reading(Err("no server is found".to_owned())));
    assert_eq!(last(&mut model), "no answer, trying again: no server is found");
}

#[test]
fn stacks_are_scrolled_over_the_tables() {
    let mut model = model();
    let text: Vec<String> = (1..=40).map(|number| format!("  File line {number}")).collect();
    model.learn(News::Stacks("stacks of worker 1".to_owned(), text.join("\n")));
    let lines = shown(&mut model, 80, 24);
    assert_eq!(lines[7], "stacks of worker 1 (15 of 40 lines, esc closes)");
    assert_eq!(lines[8], "  File line 1");
    key(&mut model, 'G');
    let lines = shown(&mut model, 80, 24);
    assert_eq!((&*lines[8], &*lines[22]), ("  File line 26", "  File line 40"));
    press(&mut model, KeyEvent::from(KeyCode::Esc));
    assert_eq!(shown(&mut model, 80, 24)[7], "▸ workers by number");
}

#[test]
fn the_help_names_every_key() {
    let mut model = model();
    key(&mut model, '?');
    let text = shown(&mut model, 80, 24).join("\n");
    for word in ["recycle", "reload", "stacks", "quit", "tab, Enter"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn nothing_is_coloured_where_that_is_not_wanted() {
    let mut model = model();
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| draw(frame, &mut model, Theme::new(false))).unwrap();
    let is_plain = |cell: &ratatui::buffer::Cell| cell.fg == ratatui::style::Color::Reset;
    assert!(terminal.backend().buffer().content.iter().all(is_plain));
}
