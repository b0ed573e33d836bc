//! Which routes of the application usually block, where not all of them do: a report beside many small pages. The
//! leader passes the token on before it calls such a route, so that nothing waits until the monitor has seen it block.
//! Written by the thread that called, read by the next leader.

use std::sync::atomic::{AtomicU32, Ordering};

use tapster_gateway::{Variable, Vars};

use crate::blocking::Score;

/// Routes that are told apart. Two that share a place are only guessed at less well.
const PLACES: usize = 256;

/// How much of a path counts.
const LONGEST: usize = 48;

/// A route's place among the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Route(usize);

impl Route {
    /// The method and the path without its digits: what stands in their place is mostly a row of a table, and not
    /// another piece of the application.
    fn of(vars: &Vars) -> Route {
        let method = vars.get(Variable::RequestMethod).unwrap_or_default();
        let path = vars.get(Variable::PathInfo).unwrap_or_default();
        let path = path.iter().take(LONGEST).filter(|byte| !byte.is_ascii_digit());
        // FNV-1a: short, and good enough for a guess.
        let hash = method
            .iter()
            .take(2)
            .chain(path)
            .fold(0x811c_9dc5_u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Route((hash ^ hash >> 16) as usize % PLACES)
    }
}

/// A score for each route.
pub(crate) struct Routes {
    scores: [Score; PLACES],
    /// Scores above zero.
    suspects: AtomicU32,
}

impl Default for Routes {
    fn default() -> Routes {
        Routes { scores: std::array::from_fn(|_| Score::default()), suspects: AtomicU32::new(0) }
    }
}

impl Routes {
    /// The route of a request if it was seen to be slow lately.
    pub(crate) fn suspect(&self, vars: &Vars) -> Option<Route> {
        if self.suspects.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let route = Route::of(vars);
        (self.score(route)?.is_suspect()).then_some(route)
    }

    /// Whether calls of this route usually block.
    pub(crate) fn is_usual(&self, route: Route) -> bool {
        self.score(route).is_some_and(Score::is_usual)
    }

    /// A route's score.
    pub(crate) fn get(&self, route: Route) -> u32 {
        self.score(route).map_or(0, Score::get)
    }

    /// Notes a slow call of a route that was no suspect.
    pub(crate) fn note_slow(&self, vars: &Vars) {
        self.note(Route::of(vars), true, None);
    }

    /// Notes a call: whether it was slow, and whether it waited, if that was read.
    pub(crate) fn note(&self, route: Route, is_slow: bool, waited: Option<bool>) {
        let Some(score) = self.score(route) else { return };
        match score.add(is_slow, waited) {
            (0, 1..) => self.suspects.fetch_add(1, Ordering::Relaxed),
            (1.., 0) => self.suspects.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
    }

    fn score(&self, route: Route) -> Option<&Score> {
        self.scores.get(route.0)
    }
}

#[cfg(test)]
mod tests {
    use tapster_gateway::Name;

    use super::*;

    fn get(path: &str) -> Vars {
        let mut vars = Vars::default();
        vars.set(Name::Known(Variable::RequestMethod), b"GET");
        vars.set(Name::Known(Variable::PathInfo), path.as_bytes());
        vars
    }

    fn call(routes: &Routes, path: &str, blocks: bool) {
        match routes.suspect(&get(path)) {
            Some(route) => routes.note(route, blocks, Some(blocks)),
            None if blocks => routes.note_slow(&get(path)),
            None => {}
        }
    }

    fn is_usual(routes: &Routes, path: &str) -> bool {
        routes.suspect(&get(path)).is_some_and(|route| routes.is_usual(route))
    }

    #[test]
    fn a_route_that_blocks_is_known_among_many_that_do_not() {
        let routes = Routes::default();
        for number in 0..20 {
            call(&routes, "/report", true);
            for page in 0..100 {
                call(&routes, &format!("/page/{number}/{page}"), false);
            }
        }
        assert!(is_usual(&routes, "/report"));
        assert!(!is_usual(&routes, "/page/1/2"));
    }

    #[test]
    fn rows_of_a_table_are_one_route_and_methods_are_two() {
        let routes = Routes::default();
        (0..20).for_each(|row| call(&routes, &format!("/users/{row}/export"), true));
        assert!(is_usual(&routes, "/users/4711/export"));
        let mut post = get("/users/1/export");
        post.set(Name::Known(Variable::RequestMethod), b"POST");
        assert_eq!(routes.suspect(&post), None);
    }

    #[test]
    fn a_route_that_became_fast_is_forgotten_and_then_costs_nothing() {
        let routes = Routes::default();
        (0..20).for_each(|_| call(&routes, "/report", true));
        assert_eq!(routes.suspects.load(Ordering::Relaxed), 1);
        (0..200).for_each(|_| call(&routes, "/report", false));
        assert_eq!(routes.suspect(&get("/report")), None);
        assert_eq!(routes.suspects.load(Ordering::Relaxed), 0);
    }
}
