//! Users and groups as text: `www-data`, `33`, `www-data:adm`. Who that is, the host knows.

use crate::error::Invalid;
use crate::settings::Owner;

/// What a user or a group may look like.
pub(crate) const ALLOWED: &str = "a name or a number";

/// One name or number.
pub(crate) fn single(text: &str) -> Result<String, Invalid> {
    match is_one(text) {
        true => Ok(text.to_owned()),
        false => Err(Invalid::new(format!("{text:?} is not the name of a user or a group"))),
    }
}

/// `USER`, `USER:GROUP` or `:GROUP`.
pub(crate) fn owner(text: &str) -> Result<Owner, Invalid> {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let one = |text: &str| single(text).map(Some);
    match (user, group) {
        ("", Some(group)) => Ok(Owner { user: None, group: one(group)? }),
        (user, group) => Ok(Owner { user: one(user)?, group: group.map_or(Ok(None), one)? }),
    }
}

/// Nothing that a user database could not have: no separators, no spaces, no option by mistake.
fn is_one(text: &str) -> bool {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, ':' | ',' | '/');
    !text.is_empty() && !text.starts_with('-') && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_a_user_a_group_or_both() {
        let parts = |text: &str| owner(text).ok().map(|owner| (owner.user, owner.group));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("www-data"), Some((some("www-data"), None)));
        assert_eq!(parts("33:4"), Some((some("33"), some("4"))));
        assert_eq!(parts(":nginx"), Some((None, some("nginx"))));
        for wrong in ["", ":", "a:", "a:b:c", "a b", "-1", "a/b"] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
