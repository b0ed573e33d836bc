//! The terminal: taken over while the screen is shown, and given back as it was, whatever ends that.

use std::io::{self, Stdout, stdout};
use std::panic;
use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use tapster_config::TopOptions;
use tapster_supervisor::control::live::Reading;
use tapster_sys::signal::{self, Signal, Signals};

use crate::fetch::Fetch;
use crate::keys::{Then, press};
use crate::model::Model;
use crate::screen;
use crate::server::Server;
use crate::theme::Theme;

/// How long to wait for a key before what the server says is looked for.
const PAUSE: Duration = Duration::from_millis(50);
/// The exit status of a program in Rust that panicked.
const PANICKED: i32 = 101;
/// What ends the program, as it ends others.
const ENDS: [Signal; 4] = [Signal::Terminate, Signal::Interrupt, Signal::Hangup, Signal::Quit];

/// Shows the server on the screen until the operator quits.
///
/// # Errors
/// When the terminal cannot be used.
pub(crate) fn run(server: Arc<dyn Server>, options: &TopOptions, first: Reading) -> Result<(), String> {
    show(server, options, first).map_err(|error| format!("the terminal cannot be used: {error}"))
}

fn show(server: Arc<dyn Server>, options: &TopOptions, first: Reading) -> io::Result<()> {
    let signals = Signals::catch(&ENDS)?;
    let fetch = Fetch::begin(server, options.interval)?;
    let mut model = Model::new(first, options.order);
    let theme = Theme::of_terminal();
    give_back_when_it_panics();
    let mut taken = Taken::take()?;
    loop {
        taken.screen.draw(|frame| screen::draw(frame, &mut model, theme))?;
        while !event::poll(PAUSE)? {
            if signals.take().is_some() {
                return Ok(());
            }
            let mut is_new = false;
            for news in fetch.news.try_iter() {
                model.learn(news);
                is_new = true;
            }
            if is_new {
                taken.screen.draw(|frame| screen::draw(frame, &mut model, theme))?;
            }
        }
        let Event::Key(key) = event::read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match press(&mut model, key) {
            Then::Nothing => {}
            Then::Order(order) => fetch.order(order),
            Then::Suspend => taken = taken.suspend()?,
            Then::Quit => return Ok(()),
        }
    }
}

/// The terminal while it is ours.
struct Taken {
    screen: Terminal<CrosstermBackend<Stdout>>,
}

impl Taken {
    fn take() -> io::Result<Taken> {
        enable_raw_mode()?;
        let screen = Terminal::new(CrosstermBackend::new(stdout())).inspect_err(|_| give_back())?;
        // From here on the end of this gives it back. `Terminal::clear` would ask the terminal where its cursor is, which not
        // every one tells.
        let taken = Taken { screen };
        execute!(stdout(), EnterAlternateScreen, Hide, Clear(ClearType::All))?;
        Ok(taken)
    }

    /// Lets the shell have it until it wakes us.
    fn suspend(self) -> io::Result<Taken> {
        drop(self);
        signal::stop_this_process()?;
        Taken::take()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // A terminal that has gone needs nothing.
    let _gone = execute!(stdout(), LeaveAlternateScreen, Show);
    let _gone = disable_raw_mode();
}

/// Before the panic is told, so that it can be read. It ends the program, in whichever thread it was: the screen would go on
/// over what was told.
fn give_back_when_it_panics() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        give_back();
        tell(info);
        std::process::exit(PANICKED);
    }));
}
