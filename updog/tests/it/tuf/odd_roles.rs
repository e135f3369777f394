//! Delegated roles with odd names, and far too many of them.

use serde_json::json;

use super::signer::{Key, sha256};
use super::stage::Stage;

fn list(stage: &mut Stage, role: &str, name: &str) {
    stage.target(role, name, b"bytes", &format!("{}.{name}", sha256(b"bytes")));
}

#[test]
fn role_named_like_a_top_level_one_is_refused_where_it_is_needed_and_nowhere_else() {
    for consistent in [true, false] {
        for name in ["root", "timestamp", "snapshot", ""] {
            let mut stage = Stage::new();
            stage.role("root")["consistent_snapshot"] = json!(consistent);
            stage.next_root();
            stage.delegate_from("targets", "posing", &["x"])["name"] = json!(name);
            stage.role("snapshot")["meta"][format!("{name}.json")] = json!({ "version": 1 });
            stage.target("targets", "good", b"good", &format!("{}.good", sha256(b"good")));
            stage.target("targets", "good", b"good", "good");
            stage.publish();
            stage.init();
            stage.refreshed();
            assert_eq!(stage.download(&["good"]).code, 0);
            let before = stage.trusted();
            let ended = stage.download(&["x"]);
            assert_eq!(ended.code, 1);
            assert!(
                ended.stderr.contains(&format!("a delegated role calls itself {name:?}")),
                "{}",
                ended.stderr
            );
            assert_eq!(stage.trusted(), before);
        }
    }
}

#[test]
fn role_that_delegates_back_to_the_top_is_a_loop_like_any_other() {
    let mut stage = Stage::new();
    stage.delegate_from("targets", "A", &["*"]);
    stage.delegate_from("A", "targets", &["*"]);
    stage.publish_next();
    stage.init();
    let ended = stage.download(&["x"]);
    assert!(ended.code == 1 && ended.stderr.contains("does not list it"), "{}", ended.stderr);
    assert_eq!(stage.asked_roles(), ["A"]);
}

#[test]
fn name_of_a_role_leads_nowhere() {
    for (name, asked) in [
        ("../x", "1...%2Fx.json"),
        ("/x", "1.%2Fx.json"),
        ("a/b", "1.a%2Fb.json"),
        ("?", "1.%3F.json"),
        ("#", "1.%23.json"),
        ("5.root", "1.5.root.json"),
        ("memory", "1.memory.json"),
    ] {
        let mut stage = Stage::new();
        stage.delegate(name, "*");
        list(&mut stage, name, "there");
        stage.publish_next();
        stage.init();
        let ended = stage.download(&["there"]);
        assert_eq!(stage.asked()[4], asked);
        // A plain server has no file with a slash in its name.
        assert_eq!(ended.code, i32::from(name.contains('/')), "{name}: {}", ended.stderr);
        assert!(stage.artifacts().join("there").exists() != name.contains('/'));
        let kept = stage.trusted().len();
        let beside = name.contains('/') || ["5.root", "memory"].contains(&name);
        assert_eq!(kept, if beside { 4 } else { 5 }, "{name}");
        stage.refreshed();
    }
}

#[test]
fn ten_thousand_delegated_roles_cost_what_the_search_visits() {
    let mut stage = Stage::new();
    stage.delegate("A", "there");
    list(&mut stage, "A", "there");
    let key = Key::ed25519();
    let delegations = &mut stage.role("targets")["delegations"];
    delegations["keys"][&key.id] = key.public.clone();
    let roles = delegations["roles"].as_array_mut().unwrap();
    let one = |number: usize| {
        let (name, path) = (format!("bin-{number}"), format!("bin-{number}/*"));
        json!({ "name": name, "keyids": [key.id], "threshold": 1, "terminating": false, "paths": [path] })
    };
    let real = roles.remove(0);
    roles.extend((0..10_000).map(one));
    roles.push(real);
    for number in 0..10_000 {
        stage.role("snapshot")["meta"][format!("bin-{number}.json")] = json!({ "version": 1 });
    }
    stage.publish_next();
    stage.init();
    assert_eq!(stage.download(&["there"]).code, 0);
    assert_eq!(stage.asked_roles(), ["A"]);
}

#[test]
fn thirty_two_roles_are_visited_and_no_more() {
    for (count, code) in [(32, 0), (33, 1)] {
        // Side by side, and one below the other.
        for deep in [false, true] {
            let mut stage = Stage::new();
            let name = |number: usize| format!("role-{number:02}");
            for number in 1..=count {
                let above = if deep && number > 1 { name(number - 1) } else { "targets".to_owned() };
                stage.delegate_from(&above, &name(number), &["*"]);
            }
            list(&mut stage, &name(count), "there");
            stage.publish_next();
            stage.init();
            let ended = stage.download(&["there"]);
            assert_eq!(ended.code, code, "{}", ended.stderr);
            assert_eq!(stage.asked_roles().len(), 32);
            if code == 1 {
                let why =
                    "32 delegated roles may have it and do not list it; the search ends before \"role-33\"";
                assert!(ended.stderr.contains(why), "{}", ended.stderr);
            }
        }
    }
}

#[test]
fn depth_bomb_of_roles_that_each_delegate_to_many_ends_soon() {
    let mut stage = Stage::new();
    let name = |number: usize| format!("role-{number}");
    for number in 0..40 {
        let above = if number == 0 { "targets".to_owned() } else { name(number - 1) };
        stage.delegate_from(&above, &name(number), &["*"]);
        for other in 0..50 {
            stage.role(&above)["delegations"]["roles"].as_array_mut().unwrap().push(json!({
                "name": format!("{above}-{other}"), "keyids": [], "threshold": 1,
                "terminating": false, "paths": ["*"],
            }));
        }
    }
    stage.publish_next();
    stage.init();
    let ended = stage.download(&["there"]);
    assert!(ended.code == 1 && ended.stderr.contains("32 delegated roles"), "{}", ended.stderr);
    assert_eq!(stage.asked_roles().len(), 32);
}

#[test]
fn delegated_roles_are_not_read_into_memory_without_bound() {
    let mut stage = Stage::new();
    stage.digests = false;
    for number in 0..5 {
        let name = format!("role-{number}");
        stage.delegate(&name, "*");
        stage.role(&name)["padding"] = json!("x".repeat(9 << 20));
    }
    stage.publish_next();
    stage.init();
    let ended = stage.download(&["there"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("3.json"), "the fourth is too much: {}", ended.stderr);
    assert_eq!(stage.asked_roles().len(), 4);
    // Where lengths are signed it is not even begun.
    stage.digests = true;
    stage.publish_next();
    let ended = stage.download(&["there"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("with the delegated role \"role-3\" it would be more than"),
        "{}",
        ended.stderr
    );
    assert!(stage.asked_roles().len() <= 3);
}
