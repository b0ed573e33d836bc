//! The supervisor with real processes, signals and sockets; its workers run Rust closures. A program of its own,
//! because the test harness has threads and what has threads cannot fork. An argument chooses scenarios by name.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their harness"
)]

mod scenarios;
mod server;
mod stop;
mod templates;
mod worker;

use std::time::Instant;

/// Names and functions, in the order they run.
macro_rules! scenarios {
    ($($module:ident::$name:ident),* $(,)?) => {
        [$((stringify!($name), $module::$name as fn())),*]
    };
}

fn main() {
    let all = scenarios![
        scenarios::workers_start_serve_and_stop,
        scenarios::an_application_that_cannot_be_loaded_ends_the_server,
        scenarios::a_crashed_worker_is_replaced_and_its_peers_are_poked,
        scenarios::a_reload_loses_no_connection,
        scenarios::a_broken_reload_leaves_the_old_workers_serving,
        scenarios::workers_are_added_and_taken_away,
        scenarios::connections_sent_to_a_dead_worker_reach_another,
        scenarios::a_worker_begins_with_clean_signals,
        scenarios::strangers_are_reaped,
        scenarios::a_panic_ends_the_worker_and_not_more,
        stop::a_worker_that_does_not_finish_is_killed,
        stop::a_second_signal_stops_at_once,
        stop::a_stop_does_not_wait_for_a_boot,
        stop::clients_are_refused_as_soon_as_the_last_worker_has_gone,
        stop::workers_do_not_outlive_a_killed_supervisor,
        templates::a_worker_that_is_born_after_its_slot_was_given_up_is_ended,
    ];
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, scenario) in all {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            let start = Instant::now();
            print!("scenario {name} ... ");
            std::io::Write::flush(&mut std::io::stdout()).unwrap();
            scenario();
            println!("ok ({:.2} s)", start.elapsed().as_secs_f64());
        }
    }
}
