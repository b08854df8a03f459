//! `/openapi.json`: the description of this face, made from the handlers' own annotations and `schema`. What all
//! operations share is said once here: who may ask, how a refusal looks, the request's id on every answer.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{ArrayItems, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response as Described, ResponseBuilder, Schema};
use utoipa::{IntoResponses, Modify, OpenApi as _, ToSchema as _};

use super::{routes, schema, shape};

/// What is said beside the operations.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Opsbell",
        description = "Signals in, words of people in, records out. Times are RFC 3339 in UTC with milliseconds; what \
                       is answered is durable. In words: docs/http.md.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(schema::Error)),
    modifiers(&Shared),
    tags(
        (name = "signals", description = "What senders say."),
        (name = "other-tools", description = "What senders of PagerDuty, Opsgenie and Prometheus say, at the paths and in the words of those."),
        (name = "words", description = "What people say, and what they are told."),
        (name = "records", description = "What is known; newest first."),
        (name = "tokens", description = "Personal tokens; for the administrator."),
        (name = "health", description = "How the process is; for anybody."),
    )
)]
struct Beside;

/// The description of all paths.
pub fn document() -> OpenApi {
    let mut document = Beside::openapi();
    document.merge(routes().into_openapi());
    // Once more, now that there are operations.
    Shared.modify(&mut document);
    document
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "health", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value), Unasked)
)]
pub(crate) async fn openapi() -> Response {
    static WRITTEN: OnceLock<Bytes> = OnceLock::new();
    let written = WRITTEN.get_or_init(|| document().to_json().unwrap_or_default().into());
    shape::json_bytes(StatusCode::OK, written.to_vec())
}

/// Schemas of which some keys may be left out; of all others every key is always there.
const WITH_OPTIONS: [&str; 4] = ["RequestRefused", "Say", "TokenFor", "Told"];

/// What all operations share.
struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = |told: &str| {
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(told)).build())
        };
        let in_query = ApiKeyValue::with_description("key", "The same, for senders that cannot set a header.");
        let genie = ApiKeyValue::with_description("authorization", "`GenieKey KEY`, with an integration's key.");
        for (name, scheme) in [
            ("person", bearer("A personal token, `obt_…`: `opsbell token add PERSON`.")),
            ("administrator", bearer("The administrator's token, `oba_…`: DATA/admin.token.")),
            ("integration", bearer("An integration's key: what its key_env or key_file names.")),
            ("genie", SecurityScheme::ApiKey(ApiKey::Header(genie))),
            ("integration-query", SecurityScheme::ApiKey(ApiKey::Query(in_query))),
        ] {
            components.add_security_scheme(name, scheme);
        }
        for (name, schema) in &mut components.schemas {
            if let (RefOr::T(schema), false) = (schema, WITH_OPTIONS.contains(&name.as_str())) {
                require_all(schema);
            }
        }
        for item in document.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
            for operation in operations.into_iter().flatten() {
                for response in operation.responses.responses.values_mut() {
                    if let RefOr::T(response) = response {
                        let id = text_header("Names this request in the log and in the journal.");
                        response.headers.entry("x-request-id".to_owned()).or_insert_with(|| id.into());
                    }
                }
            }
        }
    }
}

fn require_all(schema: &mut Schema) {
    let inner: Vec<&mut RefOr<Schema>> = match schema {
        Schema::Object(object) => {
            object.required = object.properties.keys().cloned().collect();
            object.properties.values_mut().collect()
        }
        Schema::AllOf(all) => all.items.iter_mut().collect(),
        Schema::Array(array) => match &mut array.items {
            ArrayItems::RefOrSchema(items) => vec![items],
            ArrayItems::False => Vec::new(),
        },
        _ => Vec::new(),
    };
    for schema in inner {
        if let RefOr::T(schema) = schema {
            require_all(schema);
        }
    }
}

fn text_header(told: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).build();
    HeaderBuilder::new().schema(Some(text)).description(Some(told)).build()
}

/// How a refusal with this status is described.
fn refusal(status: u16) -> Described {
    let told = match status {
        400 => "The request is malformed: a parameter, a header or the body.",
        401 => "No token or key, or an unknown one.",
        403 => "Not with this token or key.",
        404 => "There is no such record, source or path.",
        405 => "The path does not take this method.",
        408 => "The body did not arrive in time.",
        409 => "The record's state does not allow it.",
        413 => "The body is too large.",
        415 => "The body's encoding is not read.",
        422 => "A value is not acceptable, or what was said was refused.",
        429 => "Too much, too fast.",
        503 => "Not now: too much waits, the disk does not write, or the process starts or ends.",
        _ => "A failure of Opsbell itself.",
    };
    let error = Ref::from_schema_name(schema::Error::name());
    let mut built = ResponseBuilder::new()
        .description(told)
        .content("application/json", Content::new(Some(RefOr::<Schema>::Ref(error))));
    if matches!(status, 429 | 503) {
        let seconds = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .build();
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait.")).build();
        built = built.header("retry-after", header);
    }
    if status == 401 {
        built = built.header("www-authenticate", text_header("`Bearer`"));
    }
    built.build()
}

/// Sets of refusals, named after what an operation does, for `responses(…)`.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $($status:literal)*;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Described>> {
                [$($status),*].into_iter().map(|status: u16| (status.to_string(), refusal(status).into())).collect()
            }
        }
    )*};
}

refusals! {
    /// It asks the engine nothing and refuses nothing.
    Unasked: 500;
    /// It asks the engine, for anybody.
    Asking: 500 503;
    /// It reads a list.
    Listing: 400 401 500 503;
    /// It reads one record.
    Reading: 400 401 403 404 500 503;
    /// It asks as a person for one record.
    Taking: 400 401 403 404 422 500 503;
    /// It asks as a person, without a body.
    Listening: 400 401 403 422 500 503;
    /// It takes a person's words or a small object.
    Speaking: 400 401 403 404 408 413 415 422 500 503;
    /// It takes a text in place of another.
    Writing: 400 401 403 404 408 409 413 415 422 500 503;
    /// It is for the administrator and has no body.
    Ruling: 400 401 403 404 409 422 500 503;
    /// It answers a sender of another tool in that tool's words, which say the rest.
    Foreign: 500;
    /// It takes a sender's payload.
    Sending: 400 401 403 404 408 413 415 422 429 500 503;
}
