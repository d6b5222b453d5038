//! Reading a body: bounded in size and in time, after the gates, so that strangers cannot make us buffer.

use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::answer::{Edge, Failure};
use crate::domain::error::{AppError, Invalid};

/// Reads the whole body and takes it out of its place; one that was not read to its end stays there. 413 beyond the
/// limit, at once where the headers say so, 408 when it takes longer than allowed.
pub async fn read(
    place: &mut Option<Payload>,
    headers: &HeaderMap,
    limit: usize,
    within: Duration,
) -> Result<Bytes, Failure> {
    let Some(payload) = place.as_mut() else { return Ok(Bytes::new()) };
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Edge::BodyTooLarge { limit }.into());
    }
    let all = async {
        let mut body = BytesMut::new();
        // Where a WebSocket is asked for too, actix has the body last as long as the connection.
        while announced.is_none_or(|length| body.len() < length) {
            let Some(chunk) = payload.next().await else { break };
            let chunk = chunk.map_err(|_| Edge::BadHeader("The body is broken off or badly framed"))?;
            if body.len() + chunk.len() > limit {
                return Err(Edge::BodyTooLarge { limit });
            }
            body.extend_from_slice(&chunk);
        }
        if let Some(length) = announced {
            body.truncate(length);
        }
        Ok(body.freeze())
    };
    let body = tokio::time::timeout(within, all).await.unwrap_or(Err(Edge::BodyTimeout))?;
    *place = None;
    Ok(body)
}

/// What the headers say of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// JSON in UTF-8, said so or not said otherwise.
    Json,
    /// Something else, or compressed. It does not matter where the body is empty.
    Foreign,
}

pub fn content(headers: &HeaderMap) -> Content {
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Content::Foreign;
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Content::Json };
    let value = value.to_str().unwrap_or("?").to_ascii_lowercase();
    let (essence, parameters) = value.split_once(';').unwrap_or((&value, ""));
    let essence = essence.trim();
    let charset = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("charset="));
    let utf8 = charset.is_none_or(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii"));
    let json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if (json && utf8) || essence.is_empty() { Content::Json } else { Content::Foreign }
}

/// Reads a JSON object. An empty body is `{}`: whether a field is missing is the next question.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, AppError> {
    let text = body.trim_ascii();
    let text = if text.is_empty() { b"{}" } else { text };
    if text.first() != Some(&b'{') {
        return Err(AppError::Malformed("an object is expected".to_owned()));
    }
    // serde skips what it does not know without looking at it.
    let text = std::str::from_utf8(text).map_err(|_| AppError::Malformed("it is not UTF-8".to_owned()))?;
    let mut parser = serde_json::Deserializer::from_str(text);
    let parsed = serde_path_to_error::deserialize(&mut parser).map_err(|error| explain(&error))?;
    parser.end().map_err(|_| AppError::Malformed("something follows the object".to_owned()))?;
    Ok(parsed)
}

/// serde's words name no field and quote the value, which may be a secret: only what was expected is passed on.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> AppError {
    let text = error.inner().to_string();
    let path = error.path().to_string();
    if let Some(field) = text.strip_prefix("duplicate field `").and_then(|rest| rest.split('`').next()) {
        return Invalid::new(field.to_owned(), "is given twice").into();
    }
    let out_of_range = text.starts_with("number out of range");
    if !out_of_range && !error.inner().is_data() {
        return AppError::Malformed(text);
    }
    if path == "." {
        return AppError::Malformed("an object is expected".to_owned());
    }
    let expected = text.rsplit_once(", expected ").map_or("", |(_, expected)| expected);
    let expected = expected.split(" at line ").next().unwrap_or_default();
    let problem = match expected {
        _ if out_of_range => "is out of range".to_owned(),
        "i64" | "u64" | "i32" | "u32" | "u16" | "u8" => "must be an integer".to_owned(),
        "a string" | "a boolean" => format!("must be {expected}"),
        "" => "has the wrong type".to_owned(),
        other => format!("must be {other}"),
    };
    Invalid::new(path, problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Sample {
        name: Option<String>,
        #[expect(dead_code, reason = "read by serde")]
        number: Option<i64>,
    }

    #[test]
    fn a_body_that_is_no_object_is_refused_and_its_values_are_not_repeated() {
        for (body, text) in [
            ("[]", "the body is not valid JSON: an object is expected"),
            ("\"name\"", "the body is not valid JSON: an object is expected"),
            ("{} {}", "the body is not valid JSON: something follows the object"),
            (r#"{"name": 5551234}"#, "name must be a string"),
            (r#"{"number": "s3cret"}"#, "number must be an integer"),
            (r#"{"number": 1.5}"#, "number must be an integer"),
            (r#"{"number": 1e400}"#, "number is out of range"),
            (r#"{"number": 9223372036854775808}"#, "number must be an integer"),
            (r#"{"number": {"a": 1}}"#, "number must be an integer"),
            (r#"{"name": "a", "name": "b"}"#, "name is given twice"),
        ] {
            let refused = parse::<Sample>(body.as_bytes()).unwrap_err();
            assert_eq!(refused.to_string(), text, "{body}");
        }
        for body in ["{", "{\"name\": \"\u{1}\"}", "{'name': 1}", "{\"name\": NaN}", "{\"name\": \"\\ud800\"}"] {
            assert!(matches!(parse::<Sample>(body.as_bytes()), Err(AppError::Malformed(_))), "{body}");
        }
        assert!(matches!(parse::<Sample>(b"{\"name\": \"\xff\"}"), Err(AppError::Malformed(_))));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let known = parse::<Sample>(format!(r#"{{"name": {deep}}}"#).as_bytes()).unwrap_err();
        assert_eq!(known.to_string(), "name must be a string");
        assert!(parse::<Sample>(format!(r#"{{"unknown": {deep}}}"#).as_bytes()).is_ok(), "skipped without recursion");
    }

    #[test]
    fn an_empty_body_is_an_empty_object_and_null_is_absent() {
        assert!(parse::<Sample>(b"").unwrap().name.is_none());
        assert!(parse::<Sample>(b" \n").unwrap().name.is_none());
        assert!(parse::<Sample>(br#"{"name": null, "more": [1]}"#).unwrap().name.is_none());
    }
}
