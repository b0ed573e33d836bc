//! The lines at the top: which server this is, and how it is as a whole.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tapster_supervisor::control::live::{FrontSample, Reading, Sample};
use tapster_supervisor::control::protocol::LastReload;

use crate::theme::Theme;
use crate::words::{self, bytes, percent, rate, time};

/// Space between two figures.
const GAP: &str = "   ";

/// A figure with its name and its look.
struct Figure(&'static str, String, Style);

/// The lines, none longer than they have to be: on a narrow screen the end of each is cut, so the important comes first.
pub(crate) fn lines(reading: &Reading, sample: &Sample, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![title(reading, theme), traffic(sample, theme), times(sample, theme)];
    lines.push(load(reading, sample, theme));
    lines.push(history(reading, sample, theme));
    if let Some(front) = &sample.front {
        lines.push(front_line(front, theme));
    }
    lines
}

fn title(reading: &Reading, theme: Theme) -> Line<'static> {
    let status = &reading.status;
    let identity = &status.identity;
    let app = if identity.app.is_empty() { "the application of its directory" } else { &identity.app };
    let look = if status.ready && status.state == "serving" { theme.good() } else { theme.notable() };
    Line::from(vec![
        Span::styled(format!("tapster {}", identity.version), theme.strong()),
        Span::raw(format!("  pid {}  ", identity.pid)),
        Span::styled(status.state.clone(), look),
        Span::raw(format!(
            " for {}  {app}  {}",
            words::duration(status.uptime),
            identity.listeners.join(" ")
        )),
    ])
}

fn traffic(sample: &Sample, theme: Theme) -> Line<'static> {
    let wrong = |rate: f64| if rate > 0.0 { theme.bad() } else { Style::new() };
    let mut figures = vec![
        Figure("requests/s", rate(sample.requests), theme.strong()),
        Figure("errors/s", rate(sample.errors), wrong(sample.errors)),
        Figure("refused/s", rate(sample.refused), wrong(sample.refused)),
    ];
    let lost = sample.timed_out + sample.queued_too_long + sample.abandoned;
    if lost > 0.0 {
        figures.push(Figure("lost/s", rate(lost), wrong(lost)));
    }
    if let (Some(sent), Some(received)) = (sample.sent, sample.received) {
        figures.push(Figure("out/s", bytes(sent as u64), Style::new()));
        figures.push(Figure("in/s", bytes(received as u64), Style::new()));
    }
    line(figures, theme)
}

fn times(sample: &Sample, theme: Theme) -> Line<'static> {
    let Sample { duration, queued, app, .. } = sample;
    let figures = [
        ("p50", duration.p50),
        ("p90", duration.p90),
        ("p99", duration.p99),
        ("p99.9", duration.p999),
        ("queue p99", queued.p99),
        ("app p99", app.p99),
        ("lock p99", sample.lock.p99),
    ];
    line(figures.map(|(name, value)| Figure(name, time(value), Style::new())).into(), theme)
}

fn load(reading: &Reading, sample: &Sample, theme: Theme) -> Line<'static> {
    let is_full = sample.threads > 0 && sample.busy >= sample.threads;
    let notable = |is: bool| if is { theme.notable() } else { Style::new() };
    let room: u64 = reading.status.sockets.iter().map(|socket| u64::from(socket.backlog)).sum();
    let mut figures = vec![
        Figure("busy", format!("{}/{}", sample.busy, sample.threads), notable(is_full)),
        Figure("waiting", sample.waiting.to_string(), notable(sample.waiting > 0)),
        Figure("clients", sample.connections.to_string(), Style::new()),
        Figure("listen queue", format!("{}/{room}", sample.listen_queue), notable(sample.listen_queue > 0)),
    ];
    if sample.overflows > 0.0 {
        figures.push(Figure("overflows/s", rate(sample.overflows), theme.bad()));
    }
    line(figures, theme)
}

fn history(reading: &Reading, sample: &Sample, theme: Theme) -> Line<'static> {
    let status = &reading.status;
    let generation = status.workers.iter().map(|worker| worker.generation).max().unwrap_or_default();
    let (reload, look) = match &status.last_reload {
        None => ("none".to_owned(), Style::new()),
        Some(LastReload { ok: true, ago, .. }) => (format!("ok {} ago", words::duration(*ago)), Style::new()),
        Some(LastReload { ago, .. }) => (format!("FAILED {} ago", words::duration(*ago)), theme.bad()),
    };
    let ready = status.workers.iter().filter(|worker| worker.state == "ready").count();
    let missing = if ready < status.wanted { theme.notable() } else { Style::new() };
    let mut figures = vec![
        Figure("cpu", percent(Some(sample.cpu)), Style::new()),
        Figure("memory", bytes(sample.memory), Style::new()),
        Figure("workers", format!("{ready}/{}", status.wanted), missing),
        Figure("generation", generation.to_string(), Style::new()),
        Figure("reload", reload, look),
    ];
    let restarts: u64 = status.restarts.values().sum();
    if restarts > 0 {
        figures.push(Figure("restarts", restarts.to_string(), theme.notable()));
    }
    line(figures, theme)
}

fn front_line(front: &FrontSample, theme: Theme) -> Line<'static> {
    let wrong = |rate: f64| if rate > 0.0 { theme.bad() } else { Style::new() };
    let mut figures = vec![
        Figure("front: answers/s", rate(front.requests), theme.strong()),
        Figure("errors/s", rate(front.errors), wrong(front.errors)),
        Figure("refused/s", rate(front.refused), wrong(front.refused)),
        Figure("clients", front.connections.to_string(), Style::new()),
        Figure("waiting", front.waiting.to_string(), Style::new()),
        Figure("out/s", bytes(front.sent as u64), Style::new()),
    ];
    if let Some(hits) = front.cache_hits {
        figures.push(Figure("cache hits", percent(Some(hits * 100.0)), Style::new()));
    }
    line(figures, theme)
}

fn line(figures: Vec<Figure>, theme: Theme) -> Line<'static> {
    let mut spans = Vec::new();
    for Figure(name, value, look) in figures {
        if !spans.is_empty() {
            spans.push(Span::raw(GAP));
        }
        spans.push(Span::styled(format!("{name} "), theme.label()));
        spans.push(Span::styled(value, look));
    }
    Line::from(spans)
}
