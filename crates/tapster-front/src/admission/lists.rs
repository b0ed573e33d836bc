//! Lists of clients: those that are served, and those that are not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use tapster_config::{AccessRule, Network, Protection};

use super::networks::Networks;
use super::paths::{Paths, Prefix};

/// The largest file of networks.
const LARGEST: u64 = 64 << 20;

/// The most networks of all lists.
const MOST: usize = 1_000_000;

/// Which list refuses a client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum List {
    /// It is not on the one of those that are served.
    Allow,
    /// It is on the other.
    Deny,
}

/// All lists.
#[derive(Default)]
pub(super) struct Lists {
    scopes: Vec<Scope>,
}

/// Those for the same paths.
struct Scope {
    prefix: Prefix,
    allow: Option<Clients>,
    deny: Option<Clients>,
}

#[derive(Default)]
struct Clients {
    unix: bool,
    networks: Networks,
}

/// Looks whether the files of all lists can be read.
///
/// # Errors
/// In words for the operator, with the file and the line.
pub fn check_lists(protection: &Protection) -> Result<(), String> {
    Lists::read(protection).map(drop)
}

impl Lists {
    /// Reads all of them.
    ///
    /// # Errors
    /// In words for the operator, with the file and the line.
    pub(super) fn read(protection: &Protection) -> Result<Lists, String> {
        let mut scopes: BTreeMap<Option<&String>, Scope> = BTreeMap::new();
        let allow = protection.allow.iter().map(|rule| (List::Allow, rule));
        let deny = protection.deny.iter().map(|rule| (List::Deny, rule));
        for (list, rule) in allow.chain(deny) {
            let scope = scopes.entry(rule.prefix.as_ref()).or_insert_with(|| Scope {
                prefix: Prefix::new(rule.prefix.as_deref()),
                allow: None,
                deny: None,
            });
            match list {
                List::Allow => scope.allow.get_or_insert_default().add(rule, "--allow")?,
                List::Deny => scope.deny.get_or_insert_default().add(rule, "--deny")?,
            }
        }
        let lists = Lists { scopes: scopes.into_values().collect() };
        if lists.count() > MOST {
            return Err(format!("--allow and --deny list more than {MOST} networks"));
        }
        Ok(lists)
    }

    /// Whether some are for some paths alone.
    pub(super) fn need_paths(&self) -> bool {
        self.scopes.iter().any(|scope| scope.prefix.is_some())
    }

    /// How many networks they have.
    pub(super) fn count(&self) -> usize {
        let lists = self.scopes.iter().flat_map(|scope| [&scope.allow, &scope.deny]);
        lists.flatten().map(|clients| clients.networks.count()).sum()
    }

    /// The list that refuses a client, if one does. Without a path those for all paths are asked; a client without an address
    /// came by a unix socket.
    pub(super) fn refusing(&self, address: Option<IpAddr>, paths: Option<&Paths<'_>>) -> Option<List> {
        self.scopes.iter().filter(|scope| scope.prefix.is_of(paths)).find_map(|scope| scope.refusing(address))
    }
}

impl Scope {
    fn refusing(&self, address: Option<IpAddr>) -> Option<List> {
        if self.deny.as_ref().is_some_and(|clients| clients.has(address)) {
            return Some(List::Deny);
        }
        self.allow.as_ref().is_some_and(|clients| !clients.has(address)).then_some(List::Allow)
    }
}

impl Clients {
    fn add(&mut self, rule: &AccessRule, option: &str) -> Result<(), String> {
        self.unix |= rule.unix;
        rule.networks.iter().for_each(|network| self.networks.add(network));
        rule.files.iter().try_for_each(|path| self.add_file(path, option))
    }

    fn add_file(&mut self, path: &Path, option: &str) -> Result<(), String> {
        let shown = path.display();
        let failed = |error: std::io::Error| format!("cannot read {shown}: {error} ({option})");
        let mut text = String::new();
        let file = File::open(path).map_err(failed)?;
        file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > LARGEST {
            return Err(format!("{shown} is too large for a list of networks ({option})"));
        }
        for (index, line) in text.lines().enumerate() {
            let network = line.split(['#', ';']).next().unwrap_or_default().trim();
            if network.is_empty() {
                continue;
            }
            let network = Network::parse(network)
                .map_err(|invalid| format!("{shown}, line {}: {} ({option})", index + 1, invalid.message))?;
            self.networks.add(&network);
        }
        Ok(())
    }

    fn has(&self, address: Option<IpAddr>) -> bool {
        match address {
            Some(address) => self.networks.contain(address),
            None => self.unix,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn rule(prefix: Option<&str>, networks: &[&str]) -> AccessRule {
        AccessRule {
            prefix: prefix.map(str::to_owned),
            unix: false,
            networks: networks.iter().map(|text| Network::parse(text).unwrap()).collect(),
            files: Vec::new(),
        }
    }

    fn refusing(lists: &Lists, address: &str, path: Option<&str>) -> Option<List> {
        let paths = path.map(|path| Paths::new(path.as_bytes()));
        lists.refusing(Some(address.parse().unwrap()), paths.as_ref())
    }

    #[test]
    fn deny_is_stronger_and_every_scope_is_asked() {
        let protection = Protection {
            allow: vec![rule(None, &["10.0.0.0/8"]), rule(Some("/admin"), &["10.1.0.0/16"])],
            deny: vec![rule(None, &["10.1.2.3"]), rule(Some("/admin"), &["10.1.3.0/24"])],
            ..Protection::default()
        };
        let lists = Lists::read(&protection).unwrap();
        assert_eq!(refusing(&lists, "10.2.0.1", None), None);
        assert_eq!(refusing(&lists, "11.2.0.1", None), Some(List::Allow));
        assert_eq!(refusing(&lists, "10.1.2.3", None), Some(List::Deny));
        assert_eq!(refusing(&lists, "10.2.0.1", Some("/shop")), None);
        assert_eq!(refusing(&lists, "10.2.0.1", Some("/admin/x")), Some(List::Allow));
        assert_eq!(refusing(&lists, "10.1.0.1", Some("/admin")), None);
        assert_eq!(refusing(&lists, "10.1.3.1", Some("/x//../admin")), Some(List::Deny));
        assert_eq!(lists.refusing(None, None), Some(List::Allow));
        assert!(lists.need_paths());
    }

    #[test]
    fn files_have_networks_and_comments() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"# office\n192.0.2.0/24 ; SBL1\n\n 2001:db8::/32\n198.51.100.7\r\n").unwrap();
        let mut deny = rule(None, &[]);
        deny.files.push(file.path().to_owned());
        let protection = Protection { deny: vec![deny], ..Protection::default() };
        let lists = Lists::read(&protection).unwrap();
        assert_eq!(lists.count(), 3);
        assert_eq!(refusing(&lists, "198.51.100.7", None), Some(List::Deny));
        assert_eq!(refusing(&lists, "198.51.100.8", None), None);
        file.write_all(b"10.0.0.1/8\n").unwrap();
        let error = Lists::read(&protection).err().unwrap();
        assert!(error.contains("line 6") && error.contains("--deny"), "{error}");
    }
}
