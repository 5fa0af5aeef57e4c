//! What an HTTP answer of a webhook means that is not 200: the words of upstream's client.

use serde_json::Value;

/// Longest text of a server that is quoted, in bytes.
const QUOTED_MAX: usize = 2048;

/// Why a call failed that was answered with this status.
pub fn http_problem(status: u16, body: &[u8]) -> String {
    if let Some(message) = of_status(body) {
        return message;
    }
    let told = String::from_utf8_lossy(body.get(..QUOTED_MAX).unwrap_or(body)).trim().to_owned();
    let fixed = match status {
        400 => "the server rejected our request for an unknown reason",
        401 => "the server has asked for the client to provide credentials",
        403 if !told.is_empty() => return told,
        403 => "the server does not allow access to the requested resource",
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        406 => "the server was unable to respond with a content type that the client supports",
        409 => "the server reported a conflict",
        410 => "the server could not find the requested resource",
        415 => "the server was unable to understand the content type of the request",
        422 => "the server rejected our request due to an error in our request",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
        }
        500.. => {
            let told = if told.is_empty() { "unknown" } else { told.as_str() };
            return format!("an error on the server ({told:?}) has prevented the request from succeeding");
        }
        _ => return format!("the server responded with the status code {status} but did not return more details"),
    };
    fixed.to_owned()
}

/// The message of a body that is a Status of its own.
fn of_status(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let failed = value["kind"] == "Status" && value["status"] == "Failure";
    let message = value["message"].as_str().filter(|it| failed && !it.is_empty())?;
    Some(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_no_reviews_are_told_in_the_clients_words() {
        for (status, body, want) in [
            (404, "404 page not found", "the server could not find the requested resource"),
            (500, " boom\n", r#"an error on the server ("boom") has prevented the request from succeeding"#),
            (502, "", r#"an error on the server ("unknown") has prevented the request from succeeding"#),
            (503, "x", "the server is currently unable to handle the request"),
            (403, "not you", "not you"),
            (302, "", "the server responded with the status code 302 but did not return more details"),
            (418, "{}", "the server responded with the status code 418 but did not return more details"),
            (400, r#"{"kind": "Status", "status": "Failure", "message": "own words"}"#, "own words"),
        ] {
            assert_eq!(http_problem(status, body.as_bytes()), want, "{status}");
        }
        assert!(http_problem(500, &[b'x'; 9000]).len() < 3000);
    }
}
