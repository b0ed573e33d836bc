//! Names to variables.

use tapster_gateway::Variable;

#[test]
fn every_variable_is_found_by_its_names() {
    for &variable in Variable::ALL {
        assert_eq!(Variable::of_name(variable.name().as_bytes()), Some(variable));
        if let Some(field) = variable.field() {
            assert_eq!(Variable::of_field(field.as_bytes()), Some(variable));
            assert_eq!(Variable::of_field(field.to_uppercase().as_bytes()), Some(variable));
            let mixed: String = field
                .char_indices()
                .map(|(index, letter)| if index % 2 == 0 { letter.to_ascii_uppercase() } else { letter })
                .collect();
            assert_eq!(Variable::of_field(mixed.as_bytes()), Some(variable));
        }
    }
}

#[test]
fn the_fields_are_letters_and_hyphens() {
    for field in Variable::ALL.iter().filter_map(|variable| variable.field()) {
        assert!(field.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{field}");
    }
}

#[test]
fn a_variables_name_says_its_field() {
    for variable in Variable::ALL {
        if let Some(field) = variable.field() {
            let upper = field.to_uppercase().replace('-', "_");
            assert!(variable.name() == format!("HTTP_{upper}") || variable.name() == upper, "{field}");
        }
    }
}

#[test]
fn near_misses_are_not_found() {
    for &variable in Variable::ALL {
        let name = variable.name();
        for near in
            [format!("{name}X"), name[..name.len() - 1].to_owned(), name.to_lowercase(), format!("X{name}")]
        {
            assert!(Variable::of_name(near.as_bytes()).is_none_or(|found| found.name() == near), "{near}");
        }
        let Some(field) = variable.field() else { continue };
        for near in [
            format!("{field}x"),
            field[..field.len() - 1].to_owned(),
            field.replace('-', "_"),
            format!("x{field}"),
        ] {
            assert!(
                Variable::of_field(near.as_bytes()).is_none_or(|found| found.field() == Some(&near)),
                "{near}"
            );
        }
    }
    for unknown in [&b""[..], b"x", b"X-Tenant", b"HTTP_", b"\xff\xff"] {
        assert_eq!(Variable::of_field(unknown), None);
        assert_eq!(Variable::of_name(unknown), None);
    }
}
