//! The list of variables.

use tapster_gateway::{Name, Variable, Vars};

fn all(vars: &Vars) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    vars.iter().map(|(name, value)| (text(name.as_bytes()), text(value))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn variables_keep_their_order_and_the_last_value() {
    let mut vars = Vars::default();
    assert!(vars.is_empty());
    vars.set(Name::Known(Variable::PathInfo), b"/a");
    vars.set(Name::Other(b"CUSTOM"), b"1");
    vars.set(Name::Known(Variable::PathInfo), b"/b");
    vars.set_with(Name::Other(b"CUSTOM"), |out| out.extend_from_slice(b"2"));
    assert_eq!(all(&vars), pairs(&[("PATH_INFO", "/b"), ("CUSTOM", "2")]));
    assert_eq!(vars.len(), 2);
    assert_eq!(vars.get(Variable::PathInfo), Some(&b"/b"[..]));
    assert_eq!(vars.get(Variable::QueryString), None);
    assert_eq!(vars.get_named(b"CUSTOM"), Some(&b"2"[..]));
    assert_eq!(vars.get_named(b"PATH_INFO"), Some(&b"/b"[..]));
}

#[test]
fn values_are_joined() {
    let mut vars = Vars::default();
    for value in [b"a", b"b", b"c"] {
        vars.join(Name::Known(Variable::HttpCookie), value, b"; ");
        vars.join(Name::Other(b"HTTP_X"), value, b", ");
        vars.join(Name::Other(b"HTTP_X"), value, b", ");
    }
    assert_eq!(all(&vars), pairs(&[("HTTP_COOKIE", "a; b; c"), ("HTTP_X", "a, a, b, b, c, c")]));
}

#[test]
fn removing_keeps_the_others_in_place() {
    let mut vars = Vars::default();
    vars.set(Name::Known(Variable::RequestMethod), b"GET");
    vars.set(Name::Other(b"A"), b"1");
    vars.set(Name::Known(Variable::PathInfo), b"/");
    vars.remove(Name::Known(Variable::RequestMethod));
    vars.remove(Name::Known(Variable::QueryString));
    vars.remove(Name::Other(b"B"));
    assert_eq!(all(&vars), pairs(&[("A", "1"), ("PATH_INFO", "/")]));
    assert_eq!(vars.get(Variable::RequestMethod), None);
    assert_eq!(vars.get(Variable::PathInfo), Some(&b"/"[..]));
    vars.remove(Name::Other(b"A"));
    vars.set(Name::Known(Variable::RequestMethod), b"PUT");
    assert_eq!(all(&vars), pairs(&[("PATH_INFO", "/"), ("REQUEST_METHOD", "PUT")]));
}

#[test]
fn clearing_forgets_all() {
    let mut vars = Vars::default();
    vars.set(Name::Known(Variable::PathInfo), b"/");
    vars.set(Name::Other(b"A"), b"1");
    vars.clear();
    assert!(vars.is_empty());
    assert_eq!((vars.get(Variable::PathInfo), vars.get_named(b"A")), (None, None));
}
