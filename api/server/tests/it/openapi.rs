//! The API's description, held against the running server: every path in it, with every answer that is seen.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::host::{Answer, Host, Server};
use crate::updog::{DONE, STARTED, act, error, host, script};

/// The description, and what of it has been seen.
struct Described<'a> {
    server: &'a Server,
    document: Value,
    seen: BTreeSet<(String, String, u16)>,
}

impl<'a> Described<'a> {
    fn by(server: &'a Server) -> Self {
        let document = server.get("/openapi.json").ok();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{document}");
        Self { server, document, seen: BTreeSet::new() }
    }

    /// Sends a request and holds the answer against the description of its path.
    fn ask(&mut self, method: &str, uri: &str, body: &str) -> Answer {
        let answer = self.server.ask(&method.to_uppercase(), uri, body.as_bytes());
        let path = uri.split('?').next().unwrap();
        let described = &self.document["paths"][path][method]["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{method} {uri} answered {}: {}", answer.status, answer.body);
        match described["content"].as_object() {
            None => assert_eq!(answer.body, "", "{method} {uri}"),
            Some(content) => {
                let kind = answer.content_type.split(';').next().unwrap();
                let schema = &content.get(kind).unwrap_or_else(|| panic!("{method} {uri}: {kind}"))["schema"];
                if kind == "application/json" {
                    let body = serde_json::from_str(&answer.body).unwrap();
                    if let Err(at) = fits(&body, schema, &self.document) {
                        panic!("{method} {uri}: {at} in {body}");
                    }
                } else {
                    assert!(answer.body.len() > 5, "{method} {uri}: an error is a sentence");
                }
            }
        }
        self.seen.insert((method.to_owned(), path.to_owned(), answer.status));
        answer
    }

    /// Every operation that the description has.
    fn operations(&self) -> BTreeSet<(String, String)> {
        let paths = self.document["paths"].as_object().unwrap();
        let of = |(path, item): (&String, &Value)| {
            let path = path.clone();
            let methods: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
            methods.into_iter().map(move |method| (method, path.clone())).collect::<Vec<_>>()
        };
        paths.iter().flat_map(of).collect()
    }
}

/// Whether `value` is as `schema` says; where it is not, says where. As much of JSON Schema as the description uses.
fn fits(value: &Value, schema: &Value, document: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).ok_or("a dangling reference")?;
        return fits(value, schema, document);
    }
    if let Some(any) = schema["oneOf"].as_array() {
        let fitting = any.iter().filter(|schema| fits(value, schema, document).is_ok()).count();
        return if fitting == 1 {
            Ok(())
        } else {
            Err(format!("{value} fits {fitting} of {}", schema["oneOf"]))
        };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        other => return Err(format!("no type but {other} in {schema}")),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&is) {
        return Err(format!("{value} is none of {types:?}"));
    }
    if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        return Err(format!("{value} is none of {}", schema["enum"]));
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| fits(item, &schema["items"], document)),
        Value::Object(fields) => {
            for required in schema["required"].as_array().into_iter().flatten() {
                fields.get(required.as_str().unwrap()).ok_or(format!("{required} is missing"))?;
            }
            fields.iter().try_for_each(|(name, field)| match &schema["properties"][name] {
                Value::Null if schema["additionalProperties"].is_object() => {
                    fits(field, &schema["additionalProperties"], document)
                        .map_err(|why| format!("{name}: {why}"))
                }
                // An object without properties is any object; otherwise every field is described.
                Value::Null if schema["properties"].is_null() => Ok(()),
                Value::Null => Err(format!("{name} is not described")),
                schema => fits(field, schema, document).map_err(|why| format!("{name}: {why}")),
            })
        }
        _ => Ok(()),
    }
}

/// A host whose `updog` knows every subcommand.
fn talkative() -> Host {
    let host = host();
    host.on("history", "echo '[{\"id\":\"1\"}]'");
    host.on("metrics", "echo '{\"prometheus\":\"update_stack_boot_proven 1\\\\n\"}'");
    host.on(
        "explain",
        "echo '{\"running\":{},\"seed\":7,\"now\":\"2024-10-24T12:00:00Z\",\"updates\":[{}]}'",
    );
    for command in ["rollback", "clear-failed"] {
        host.on(command, &format!("{STARTED}\necho '{{\"event\":\"done\"}}'"));
    }
    host
}

#[test]
fn every_operation_of_the_description_answers_as_it_says() {
    let host = talkative();
    let server = host.serve();
    let mut api = Described::by(&server);
    for uri in [
        "/",
        "/?prefix=os.",
        "/?prefix=",
        "/settings",
        "/settings?prefix=",
        "/os",
        "/os?prefix=version",
        "/os?prefix=",
    ] {
        api.ask("get", uri, "");
    }
    for uri in [
        "/updates/status",
        "/updates/progress",
        "/updates/history",
        "/updates/explain",
        "/metrics",
        "/openapi.json",
    ] {
        api.ask("get", uri, "");
    }
    for uri in [
        "/services",
        "/services?prefix=mo",
        "/services?names=motd",
        "/services?names=nobody",
        "/services?names=",
    ] {
        api.ask("get", uri, "");
    }
    for uri in ["/configuration-files", "/configuration-files?names=x", "/metadata/setting-generators"] {
        api.ask("get", uri, "");
    }
    for uri in ["/metadata/affected-services", "/metadata/templates"] {
        api.ask("get", uri, "");
        api.ask("get", &format!("{uri}?keys=settings.motd"), "");
        api.ask("get", &format!("{uri}?keys=settings..motd"), "");
    }
    api.ask("patch", "/settings", r#"{"motd":"new"}"#);
    api.ask("patch", "/settings", "{");
    api.ask("patch", "/settings", &" ".repeat(2 << 20));
    api.ask("delete", "/settings?keys=motd&tx=away", "");
    api.ask("delete", "/settings?keys=mood", "");
    api.ask("delete", "/settings", "");
    api.ask("get", "/tx?tx=away", "");
    api.ask("get", "/health", "");
    api.ask("patch", "/settings/keypair", r#"{"request_payload":["motd=newer"]}"#);
    api.ask("patch", "/settings/keypair", "[]");
    for uri in ["/tx", "/tx?tx=", "/tx/list"] {
        api.ask("get", uri, "");
    }
    for uri in ["/tx/commit", "/tx/commit_and_apply"] {
        api.ask("post", uri, "");
        assert_eq!(api.ask("post", uri, "").status, 422);
        server.patch("/settings", r#"{"motd":"once more"}"#).done();
    }
    api.ask("post", "/tx/apply", "");
    api.ask("post", "/tx/apply?keys=a..b", "");
    api.ask("delete", "/tx", "");
    api.ask("delete", "/tx?tx=", "");
    api.ask("post", "/actions/cancel", "");
    api.ask("post", "/actions/prepare-update", "");
    for action in ["refresh-updates", "prepare-update", "activate-update", "deactivate-update"] {
        api.ask("post", &format!("/actions/{action}"), "");
        server.settled();
        api.ask("get", "/updates/status", "");
    }
    api.ask("get", "/updates/progress", "");
    for query in ["", "?dry-run=true", "?restore-snapshot=true", "?dry-run=2"] {
        api.ask("post", &format!("/actions/rollback{query}"), "");
    }
    api.ask("post", "/actions/clear-failed", "");
    api.ask("post", "/actions/reboot", "");
    host.on("reboot-in-turn", &script(&[STARTED, DONE]));
    for query in ["?patient=true", "?follow=1", "?follow=7", "?follow=x"] {
        api.ask("post", &format!("/actions/reboot-in-turn{query}"), "");
    }
    // What follows a good request for this one is no HTTP any more.
    api.ask("get", "/exec", "");

    let asked: BTreeSet<_> =
        api.seen.iter().map(|(method, path, _)| (method.clone(), path.clone())).collect();
    assert_eq!(asked, api.operations(), "each operation is asked here");
    let well: BTreeSet<_> =
        api.seen.iter().filter(|seen| seen.2 < 300).map(|seen| (seen.0.clone(), seen.1.clone())).collect();
    let badly: BTreeSet<_> = asked.difference(&well).cloned().collect();
    let only = |method: &str, path: &str| (method.to_owned(), path.to_owned());
    assert_eq!(badly, BTreeSet::from([only("post", "/actions/cancel"), only("get", "/exec")]));
}

#[test]
fn refusals_are_described_too() {
    let host = talkative();
    let server = host.serve();
    act(&server, "refresh-updates");
    act(&server, "prepare-update");
    let mut api = Described::by(&server);
    for (code, status) in [("locked", 423), ("not_in_turn", 409), ("disk", 500)] {
        host.on("reboot-in-turn", &error(code, "failed to do that"));
        assert_eq!(api.ask("post", "/actions/reboot-in-turn", "").status, status);
    }
    for (code, status) in [("locked", 423), ("disallowed", 409), ("not_staged", 404), ("disk", 500)] {
        for (command, action) in
            [("update-apply", "activate-update"), ("rollback", "rollback"), ("clear-failed", "clear-failed")]
        {
            host.on(command, &error(code, "failed to do that"));
            assert_eq!(api.ask("post", &format!("/actions/{action}"), "").status, status);
        }
        for (command, uri) in [("explain", "/updates/explain"), ("metrics", "/metrics")] {
            host.on(command, &error(code, "failed to do that"));
            assert_eq!(api.ask("get", uri, "").status, status);
        }
    }
    host.on("status", "exit 3");
    assert_eq!(api.ask("get", "/updates/status", "").status, 500);
    assert!(json!(api.document["components"]["schemas"]).get("UpdateStatus").is_some());
}
