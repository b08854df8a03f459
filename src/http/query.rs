//! Reading a query: its pairs, and the refusal of a parameter that does not exist. What the values mean is each path's.

use axum::extract::Query;
use axum::http::Uri;

use super::error::Failure;

/// The names and values of a query, in order, decoded.
pub(crate) fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Failure> {
    let read = Query::<Vec<(String, String)>>::try_from_uri(uri);
    read.map(|Query(pairs)| pairs).map_err(|_| Failure::bad("query", "the query cannot be read"))
}

/// There is no parameter of this name; what was meant is one of `known`.
pub(crate) fn unknown<const N: usize>(name: &str, known: [&str; N]) -> Failure {
    let name: String = name.chars().take(60).collect();
    Failure::bad(name.clone(), format!("there is no parameter `{name}`")).meant(&name, known)
}
