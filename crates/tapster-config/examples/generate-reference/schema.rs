//! The JSON schema of `tapster.toml`, for editors that complete and check TOML.

use serde_json::{Map, Value, json};
use tapster_config::OPTIONS;
use tapster_config::kind::Kind;
use tapster_config::option::{Fallback, List, OptionSpec};

const DURATION: &str = r"^[0-9]+(\.[0-9]+)? *(ms|s|m|h)?$";
const SIZE: &str = r"^[0-9]+(\.[0-9]+)? *([kKmMgG]([iI]?[bB])?|[bB])?$";
const MODE: &str = r"^(0o)?[0-7]{1,4}$";

/// The whole schema, indented, with a line feed at the end.
pub fn schema() -> String {
    let options = OPTIONS.iter().filter(|option| option.in_file());
    let mut properties: Map<String, Value> =
        options.map(|option| (option.name.to_owned(), described(option))).collect();
    // What `tapster front` reads in the place of the rest.
    properties.insert("front".to_owned(), json!({ "$ref": "#" }));
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "tapster.toml",
        "description": "Options of tapster, the WSGI application server; also the table [tool.tapster] of pyproject.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    format!("{schema:#}\n")
}

fn described(option: &OptionSpec) -> Value {
    let mut schema = Map::new();
    schema.insert("description".to_owned(), json!(description(option)));
    if let (Fallback::Value(text), List::One) = (&option.fallback, option.list) {
        schema.insert("default".to_owned(), text.parse::<u64>().map_or(json!(text), |number| json!(number)));
    }
    let alternatives = alternatives(option);
    match alternatives.as_slice() {
        [Value::Object(only)] => schema.extend(only.clone()),
        _ => drop(schema.insert("anyOf".to_owned(), json!(alternatives))),
    }
    Value::Object(schema)
}

fn description(option: &OptionSpec) -> String {
    match option.fallback {
        Fallback::Words(words) => format!("{}. Default: {words}.", option.help),
        Fallback::Value(_) => format!("{}.", option.help),
    }
}

fn alternatives(option: &OptionSpec) -> Vec<Value> {
    let single = single(&option.kind);
    if option.list == List::One {
        return single;
    }
    let items = if let [only] = single.as_slice() { only.clone() } else { json!({ "anyOf": single }) };
    let mut all = single;
    all.push(json!({ "type": "array", "items": items }));
    if matches!(option.kind, Kind::Pair(_)) {
        let values = json!({ "type": ["string", "number", "boolean"] });
        all.insert(0, json!({ "type": "object", "additionalProperties": values }));
    }
    all
}

/// What one value may be.
fn single(kind: &Kind) -> Vec<Value> {
    let texts = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let numbers = |least: u64, most: u64| json!({ "type": "integer", "minimum": least, "maximum": most });
    match kind {
        Kind::App(_)
        | Kind::Path(_)
        | Kind::Glob(_)
        | Kind::Bind(_)
        | Kind::Place(_)
        | Kind::Peers(_)
        | Kind::Text { .. } => {
            vec![json!({ "type": "string" })]
        }
        Kind::Pair(_) => vec![texts("^[^=]+=")],
        Kind::Count { most, .. } => vec![
            numbers(1, *most),
            json!({ "const": "auto" }),
            json!({ "type": "string", "pattern": "^[0-9]+\\.\\.[0-9]+$" }),
        ],
        Kind::Integer { least, most, .. } => vec![numbers(*least, *most)],
        Kind::Size { least, most, .. } => vec![numbers(*least, *most), texts(SIZE)],
        Kind::Duration { least, most, .. } => {
            let seconds =
                json!({ "type": "number", "minimum": least.as_secs_f64(), "maximum": most.as_secs_f64() });
            vec![seconds, texts(DURATION)]
        }
        Kind::Mode(_) => vec![texts(MODE), json!({ "type": "integer", "minimum": 0 })],
        Kind::Flag(_) => vec![json!({ "type": "boolean" }), json!({ "enum": ["on", "off"] })],
        Kind::Choice(choices) => {
            let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
            let is_switch = words.contains(&"on") && words.contains(&"off");
            let mut all = vec![json!({ "enum": words })];
            all.extend(is_switch.then(|| json!({ "type": "boolean" })));
            all
        }
        Kind::ConfigFile | Kind::Switch(_) => Vec::new(),
    }
}
