//! The query of a request: a key that stands in it twice counts as it was given last, as clients rely on it.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::failure::Failure;

/// The query, as what it means.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

/// A query that means nothing.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct QueryRejection(String);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = QueryRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, QueryRejection> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl axum::response::IntoResponse for QueryRejection {
    fn into_response(self) -> axum::response::Response {
        Failure::from(self).into_response()
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(format!("failed to read the query: {rejection}"))
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, QueryRejection> {
    let pairs: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let once = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let uri: Uri = format!("/?{once}").parse().map_err(|_| QueryRejection("it is no query".to_owned()))?;
    match axum::extract::Query::try_from_uri(&uri) {
        Ok(axum::extract::Query(asked)) => Ok(asked),
        Err(rejection) => Err(QueryRejection(rejection.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Asked {
        keys: Option<String>,
        tx: Option<String>,
    }

    #[test]
    fn of_a_key_that_is_given_twice_the_last_one_counts() {
        let asked = |keys: Option<&str>, tx: Option<&str>| {
            Ok(Asked { keys: keys.map(str::to_owned), tx: tx.map(str::to_owned) })
        };
        assert_eq!(parse("keys=a&tx=x&keys=b%2Cc"), asked(Some("b,c"), Some("x")));
        assert_eq!(parse("keys=a&other=1"), asked(Some("a"), None));
        assert_eq!(parse(""), asked(None, None));
        assert_eq!(parse("keys="), asked(Some(""), None));
    }
}
