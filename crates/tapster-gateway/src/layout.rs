//! Which variables a request has, in which order: what two requests of one client have in common. Used where work
//! that depends on the names only is done once for many requests.

use crate::Vars;

/// The names of a request's variables, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    kinds: Box<[u8]>,
    others: Box<[Box<[u8]>]>,
}

impl Layout {
    /// The layout of `vars`.
    pub fn of(vars: &Vars) -> Layout {
        let (kinds, others) = vars.names();
        Layout { kinds: kinds.into(), others: others.map(Box::from).collect() }
    }

    /// Whether `vars` have exactly these names in this order.
    pub fn fits(&self, vars: &Vars) -> bool {
        let (kinds, others) = vars.names();
        *self.kinds == *kinds && self.others.iter().map(|name| &**name).eq(others)
    }
}
