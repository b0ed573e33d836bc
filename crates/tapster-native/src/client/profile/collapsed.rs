//! A profile as lines of stacks with their time, and the picture that is made of such lines.

use std::collections::BTreeMap;

use inferno::flamegraph::{self, Options};
use tapster_config::ProfileOptions;

use super::OfWorker;

/// Stacks, their frames parted by semicolons, and the microseconds of each in all workers.
pub(super) type Lines = BTreeMap<String, u64>;

/// The stacks of all workers.
pub(super) fn lines(workers: &[OfWorker]) -> Lines {
    let mut lines = Lines::new();
    for one in workers {
        for (thread, stack, micros, _) in &one.seen.stacks {
            let names: Vec<_> = one.names(thread, stack).map(|name| name.replace([';', '\n'], ",")).collect();
            *lines.entry(names.join(";")).or_default() += micros;
        }
    }
    lines
}

/// A line for each stack.
pub(super) fn text(lines: &Lines) -> String {
    lines.iter().map(|(stack, micros)| format!("{stack} {micros}\n")).collect()
}

/// The picture.
///
/// # Errors
/// When there is nothing to be seen in it.
pub(super) fn flame_graph(lines: &Lines, options: &ProfileOptions) -> Result<Vec<u8>, String> {
    let mut look = Options::default();
    let clock = if options.cpu { "time on a CPU" } else { "time" };
    let whose = if options.all_threads { "all threads" } else { "requests" };
    look.title = format!("tapster profile: {clock} of {whose}");
    look.count_name = "microseconds".to_owned();
    let lines: Vec<_> = lines.iter().map(|(stack, micros)| format!("{stack} {micros}")).collect();
    let mut picture = Vec::new();
    flamegraph::from_lines(&mut look, lines.iter().map(String::as_str), &mut picture)
        .map_err(|error| format!("there is no flame graph of this: {error}"))?;
    Ok(picture)
}

/// The frame that was the innermost for most of the time, and its part of it.
pub(super) fn hottest(lines: &Lines) -> Option<String> {
    let mut innermost = BTreeMap::<&str, u64>::new();
    for (stack, micros) in lines {
        *innermost.entry(stack.rsplit(';').next().unwrap_or(stack)).or_default() += micros;
    }
    let all: u64 = lines.values().sum();
    let (frame, micros) = innermost.into_iter().max_by_key(|(_, micros)| *micros)?;
    (all > 0).then(|| format!("{frame}, {} %", micros * 100 / all))
}

#[cfg(test)]
mod tests {
    use super::super::{tests::collected, understand};
    use super::*;

    #[test]
    fn the_same_stack_of_two_workers_is_one_line() {
        let lines = lines(&understand(&collected()).0);
        assert_eq!(
            text(&lines),
            "app (shop.py:3) 20\napp (shop.py:3);<lambda> (a,b.py:7) 70\nbeat,1;beat (own.py:1) 10\n"
        );
        assert_eq!(hottest(&lines).as_deref(), Some("<lambda> (a,b.py:7), 70 %"));
    }

    #[test]
    fn the_picture_has_every_function() {
        let lines = lines(&understand(&collected()).0);
        let picture = flame_graph(&lines, &ProfileOptions::default()).unwrap();
        let picture = String::from_utf8(picture).unwrap();
        assert!(picture.contains("<svg") && picture.contains("app (shop.py:3)"));
        assert!(picture.contains("&lt;lambda&gt;"), "names are escaped");
    }
}
