//! What is changed of requests and answers: at the top, for a site, for a route.

use crate::error_page::ErrorPage;
use crate::field_rule::FieldRule;

/// What is changed of requests and answers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overrides {
    /// Fields of answers, in the order in which the rules are applied.
    pub response: Vec<FieldRule>,
    /// Fields of requests, towards the application or an upstream.
    pub request: Vec<FieldRule>,
    /// Pages for errors.
    pub pages: Vec<ErrorPage>,
    /// Whether errors of the application or an upstream have these pages too; none where nothing says it.
    pub intercept: Option<bool>,
}

impl Overrides {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.response.is_empty() && self.request.is_empty() && self.pages.is_empty()
    }
}
