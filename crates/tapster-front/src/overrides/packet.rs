//! Rules applied to a uwsgi packet, in which fields are variables.

use tapster_config::{FieldChange, FieldRule, Template};
use tapster_http1::syntax;
use tapster_uwsgi::{Decoded, Limits};

/// The packet with its fields changed by these rules in their order; `fill` gives the value of a rule.
///
/// # Errors
/// In words, when there is no room for all of them.
pub(super) fn change(
    rules: &[FieldRule],
    packet: &[u8],
    fill: impl Fn(&Template) -> Vec<u8>,
) -> Result<Vec<u8>, String> {
    let Ok(Decoded::Packet(packet)) = tapster_uwsgi::decode(packet, &Limits::default()) else {
        return Err("a uwsgi packet that cannot be read".to_owned());
    };
    let mut variables: Vec<(Vec<u8>, Vec<u8>)> =
        packet.vars().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    for rule in rules {
        let name = variable(&rule.name);
        let value = super::value(rule).map(&fill).filter(|value| syntax::is_field_value(value));
        let place = variables.iter().position(|(known, _)| *known == name);
        match (&rule.change, place) {
            (FieldChange::Default(_), Some(_)) => continue,
            (FieldChange::Set(_) | FieldChange::Remove, Some(_)) => {
                variables.retain(|(known, _)| *known != name);
            }
            (FieldChange::Add(_), Some(place)) => {
                // A variable is there once (RFC 9110 §5.3).
                let before = &mut variables[place].1;
                value.iter().for_each(|value| before.extend_from_slice(&[b", ", value.as_slice()].concat()));
                continue;
            }
            _ => {}
        }
        variables.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
    }
    let mut changed = Vec::new();
    let variables = variables.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
    tapster_uwsgi::encode(&mut changed, packet.modifier1, packet.modifier2, variables)
        .map_err(|error| format!("{error} (--request-header)"))?;
    Ok(changed)
}

/// The variable of a field (RFC 3875 §4.1.18).
fn variable(field: &str) -> Vec<u8> {
    let name = field.to_ascii_uppercase().replace('-', "_").into_bytes();
    match name.as_slice() {
        b"CONTENT_TYPE" => name,
        _ => [b"HTTP_", name.as_slice()].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_variables() {
        let mut packet = Vec::new();
        let all: [(&[u8], &[u8]); 4] =
            [(b"HTTP_X_A", b"1"), (b"PATH_INFO", b"/"), (b"HTTP_B", b"2"), (b"CONTENT_TYPE", b"a/b")];
        tapster_uwsgi::encode(&mut packet, 0, 0, all).unwrap();
        let rules = ["X-A: $host", "+B: 3", "?B: 4", "?C: 5", "-Content-Type", "-D"];
        let rules = rules.map(|rule| FieldRule::of_request(rule).unwrap());
        let fill = |value: &Template| super::super::fields::constant(value).unwrap_or_else(|| b"h".to_vec());
        let changed = change(&rules, &packet, fill).unwrap();
        let Ok(Decoded::Packet(read)) = tapster_uwsgi::decode(&changed, &Limits::default()) else {
            panic!("no packet")
        };
        let expected: [(&[u8], &[u8]); 4] =
            [(b"PATH_INFO", b"/"), (b"HTTP_B", b"2, 3"), (b"HTTP_X_A", b"h"), (b"HTTP_C", b"5")];
        assert_eq!(read.vars().collect::<Vec<_>>(), expected);
    }
}
