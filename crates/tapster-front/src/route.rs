//! Which site a path belongs to.

use crate::files::Site;

/// Every site, the longest prefix first.
pub(crate) struct Routes {
    sites: Vec<Site>,
}

impl Routes {
    pub(crate) fn new(mut sites: Vec<Site>) -> Routes {
        sites.sort_by_key(|site| std::cmp::Reverse(site.prefix().len()));
        Routes { sites }
    }

    /// The site that a decoded path belongs to.
    pub(crate) fn find(&self, path: &[u8]) -> Option<&Site> {
        self.sites.iter().find(|site| site.has(path))
    }
}
