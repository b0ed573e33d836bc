//! Who reads what the server measures, as far as options say it.

use crate::settings::Settings;

impl Settings {
    /// Whether anything is to read what is measured of each request: else nothing is.
    pub fn is_measured(&self) -> bool {
        !self.admin_bind.is_empty()
    }
}
