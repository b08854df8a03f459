//! `/openapi.json` by the rule book: OpenAPI's own JSON Schema of 3.1 documents, read by a validator that knows nothing
//! of Opsbell, and each schema in it as JSON Schema 2020-12, of which OpenAPI 3.1's dialect is a superset. Whether it is
//! true is asked in `document`.
//!
//! `tests/fixtures/openapi/schema-2022-10-07.json` is <https://spec.openapis.org/oas/3.1/schema/2022-10-07>, unchanged
//! (the OpenAPI Initiative's, Apache-2.0).

use jsonschema::{Registry, Validator};
use opsbell::http::document;
use serde_json::{Value, json};

const RULES: &str = include_str!("../fixtures/openapi/schema-2022-10-07.json");
const RULES_ID: &str = "https://spec.openapis.org/oas/3.1/schema/2022-10-07";

/// The rules leave open what a schema looks like, at the anchor `meta`: here it is JSON Schema.
fn rules() -> Validator {
    let rules: Value = serde_json::from_str(RULES).unwrap();
    assert_eq!(rules["$id"], RULES_ID);
    let with_schemas = json!({
        "$id": "https://opsbell.example/openapi-with-schemas",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": RULES_ID,
        "$defs": {"schema": {"$dynamicAnchor": "meta", "$ref": "https://json-schema.org/draft/2020-12/schema"}},
    });
    let registry = Registry::new().add(RULES_ID, rules).unwrap().prepare().unwrap();
    jsonschema::options().should_validate_formats(true).with_registry(&registry).build(&with_schemas).unwrap()
}

fn broken(document: &Value) -> Vec<String> {
    rules().iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_document_is_openapi_3_1() {
    let document = serde_json::to_value(document()).unwrap();
    assert_eq!(broken(&document), Vec::<String>::new());
    // Each schema compiles: its patterns are regular expressions, its references lead somewhere.
    let mut schemas = 0;
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let mut one = document.clone();
        one["$ref"] = json!(format!("#/components/schemas/{name}"));
        jsonschema::draft202012::new(&one).unwrap_or_else(|error| panic!("{name}: {error}"));
        schemas += 1;
    }
    assert!(schemas > 20, "{schemas}");
}

#[test]
fn a_document_that_breaks_a_rule_is_seen() {
    let document = serde_json::to_value(document()).unwrap();
    let breaks: [(&str, &str, Value); 9] = [
        ("", "openapi", json!("3.0.3")),
        ("", "pahts", json!({})),
        ("/info", "title", json!(7)),
        ("/paths/~1v1~1say/post", "responses", json!({"200": {}})),
        ("/paths/~1v1~1say/post", "responses", json!({"ok": {"description": "fine"}})),
        ("/paths/~1v1~1events/get/parameters/0", "in", json!("body")),
        ("/paths/~1v1~1ingest~1{source}/post/parameters/0", "required", json!(false)),
        ("/components/securitySchemes/person", "type", json!("token")),
        ("/components/schemas/Error", "type", json!("dictionary")),
    ];
    for (place, key, value) in breaks {
        let mut bad = document.clone();
        bad.pointer_mut(place).unwrap_or_else(|| panic!("{place}"))[key] = value;
        assert!(!broken(&bad).is_empty(), "{place}/{key} is not seen");
    }
}
