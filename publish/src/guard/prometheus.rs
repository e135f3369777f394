//! Prometheus, or anything that answers as it does: one question, one number.

use serde::Deserialize;
use trusted_repo::{Address, Pacing, Service};

use super::Refused;
use super::judge::Counts;
use super::questions::Questions;

/// The longest answer that is read: one number is expected.
const LONGEST: u64 = 1 << 20;

/// Prometheus at an address.
#[derive(Debug)]
pub struct Prometheus {
    service: Service,
    shown: String,
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    value: (f64, String),
}

impl Prometheus {
    /// The one at `base`: what stands before `/api/v1` there. A login in the address goes along.
    ///
    /// # Errors
    /// When it is no address of a web server.
    pub fn at(base: &str, pacing: Pacing) -> Result<Self, Refused> {
        let refused = |reason: String| Refused::Address { text: host_io::redacted::redacted(base), reason };
        let address = Address::parse(base).map_err(|error| refused(error.to_string()))?;
        if address.bare().scheme() == "file" {
            return Err(refused("it is no web server".to_owned()));
        }
        let service = Service::new(&address, pacing)
            .map_err(|source| Refused::Unanswered { place: address.bare().to_string(), source })?;
        Ok(Self { service, shown: address.bare().to_string() })
    }

    /// All numbers about a release, asked one after another.
    ///
    /// # Errors
    /// When one of them does not come.
    pub async fn counts(&self, questions: &Questions) -> Result<Counts, Refused> {
        Ok(Counts {
            failed: self.number(&questions.failed).await?,
            wordless: self.number(&questions.wordless).await?,
            lost: self.number(&questions.lost).await?,
            // Asked for after those that have failed: who comes in between is counted as one that runs it.
            running: self.number(&questions.running).await?,
            proven: self.number(&questions.proven).await?,
            no_room: self.number(&questions.no_room).await?,
            others: self.number(&questions.others).await?,
            others_lost: self.number(&questions.others_lost).await?,
            heard: self.number(&questions.heard).await?,
        })
    }

    /// Those of `alerts` that fire.
    ///
    /// # Errors
    /// When an answer does not come.
    pub async fn firing(&self, alerts: &[String]) -> Result<Vec<String>, Refused> {
        let mut firing = Vec::new();
        for alert in alerts {
            if self.number(&Questions::firing(alert)).await? > 0 {
                firing.push(alert.clone());
            }
        }
        Ok(firing)
    }

    async fn number(&self, question: &str) -> Result<u64, Refused> {
        let what = "an answer of Prometheus";
        let bytes = self.service.ask("api/v1/query", ("query", question), what, LONGEST).await;
        let bytes = bytes.map_err(|source| Refused::Unanswered { place: self.shown.clone(), source })?;
        number(&bytes).map_err(|reason| Refused::Answer { place: self.shown.clone(), reason })
    }
}

/// The number in an answer: a vector of one sample, or of none, which is how nothing is counted.
fn number(bytes: &[u8]) -> Result<u64, String> {
    let answer: Answer = serde_json::from_slice(bytes).map_err(|error| format!("it is none ({error})"))?;
    let data = match (answer.status.as_str(), answer.data) {
        ("success", Some(data)) => data,
        (status, _) => return Err(format!("it says {status}: {}", answer.error)),
    };
    match (data.result_type.as_str(), &data.result[..]) {
        ("vector", []) => Ok(0),
        ("vector", [Sample { value: (_, text) }]) => {
            text.parse().map_err(|_| format!("{text:?} is no number of hosts"))
        }
        (kind, samples) => Err(format!("a {kind} of {} samples instead of one number", samples.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_number_and_none_is_nothing() {
        let vector = |result: &str| {
            let text = format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}},"warnings":["w"]}}"#
            );
            number(text.as_bytes())
        };
        assert_eq!(vector(""), Ok(0));
        assert_eq!(vector(r#"{"metric":{},"value":[1700000000.1,"12"]}"#), Ok(12));
        for (result, why) in [
            (r#"{"metric":{},"value":[1,"1.5"]}"#, "\"1.5\" is no number of hosts"),
            (r#"{"metric":{},"value":[1,"NaN"]}"#, "\"NaN\" is no number of hosts"),
            (
                r#"{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"1"]}"#,
                "a vector of 2 samples instead of one number",
            ),
        ] {
            assert_eq!(vector(result).unwrap_err(), why);
        }
        let refused = br#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
        assert_eq!(number(refused).unwrap_err(), "it says error: query timed out");
        assert!(number(b"<html>").unwrap_err().starts_with("it is none ("));
        let matrix = br#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
        assert_eq!(number(matrix).unwrap_err(), "a matrix of 0 samples instead of one number");
    }
}
