//! The page about a repository.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use publish::check::finding::{Finding, RoleReport};
use publish::guard::journal::Entry;
use publish::guard::{Counts, Journal};
use publish::list::{ListReport, Listed, State};
use publish::page::costs::Cost;
use publish::page::facts::{Facts, Schedule, Step};
use publish::page::{PageOptions, gather, page};
use publish::progress::Silent;
use publish::rollout::{Action, rollout};
use publish::{Bases, Framing, Lifetimes};

use crate::check::options;
use crate::fixture::{ARCH, Fixture, VARIANT, done, pubrepo, today};
use crate::rollout::desk;
use crate::simulate::is_golden;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a date")
}

/// A page with everything that one can have.
fn facts() -> Facts {
    let now = at("2026-06-03T12:00:00Z");
    let listed = |version: &str, state| Listed {
        version: version.parse().expect("a version"),
        state,
        waves: 0,
        first: None,
        last: None,
        paused_since: None,
        whole_bytes: 300 << 20,
        bytes: 700 << 20,
        barrier: false,
        withheld: vec![],
    };
    let (first, last) = (at("2026-06-02T13:00:00Z"), at("2026-06-08T12:00:00Z"));
    let waves =
        [(0, first), (122, at("2026-06-02T18:00:00Z")), (1024, at("2026-06-04T12:00:00Z")), (2048, last)];
    let role = |role: &'static str, version, expires: &str| RoleReport {
        role: role.into(),
        version,
        expires: at(expires),
    };
    let step = |from: &str, to: &str, names: &[&str]| Step {
        from: from.parse().expect("a version"),
        to: to.parse().expect("a version"),
        migrations: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let cost = |from: &str, to: &str, frames, pack| Cost {
        from: from.parse().expect("a version"),
        to: to.parse().expect("a version"),
        whole: 300 << 20,
        frames,
        pack,
    };
    let entry = |time: &str, verdict: &str, failed, why: &str, done: &str| Entry {
        time: at(time),
        variant: "metal".to_owned(),
        arch: "x86_64".to_owned(),
        version: "1.2.0".parse().expect("a version"),
        counts: Counts { failed, running: 60, lost: 1, ..Counts::default() },
        evidence: (1.0, Some(0.5)),
        verdict: verdict.to_owned(),
        why: if why.is_empty() { vec![] } else { vec![why.to_owned()] },
        done: done.to_owned(),
    };
    Facts {
        now,
        place: "https://updates.example.com/".to_owned(),
        list: ListReport {
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            releases: vec![
                Listed {
                    waves: 4,
                    first: Some(first),
                    last: Some(last),
                    withheld: vec![
                        "withheld by guard since 2026-06-03: it failed on 9 of 70 <hosts>".to_owned(),
                    ],
                    ..listed("1.2.0", State::Offered)
                },
                Listed { paused_since: Some(at("2026-06-02T10:00:00Z")), ..listed("1.1.1", State::Paused) },
                Listed { barrier: true, ..listed("1.1.0", State::Offered) },
                listed("1.0.0", State::Recalled),
            ],
            withheld_unknown: None,
        },
        schedules: vec![
            Schedule {
                version: "1.2.0".parse().expect("a version"),
                waves: waves.into(),
                paused_since: None,
            },
            Schedule {
                version: "1.1.1".parse().expect("a version"),
                waves: [(0, at("2026-06-01T12:00:00Z")), (2048, at("2026-06-03T12:00:00Z"))].into(),
                paused_since: Some(at("2026-06-02T10:00:00Z")),
            },
        ],
        costs: vec![
            cost("1.1.0", "1.2.0", Ok(40 << 20), Some(9 << 20)),
            cost("1.0.0", "1.2.0", Err("their hash trees have different salts".to_owned()), None),
        ],
        steps: vec![
            step("1.0.0", "1.1.0", &["migrate_v1.1.0_add-metrics.lz4"]),
            step("1.1.0", "1.1.1", &[]),
            step("1.1.1", "1.2.0", &["migrate_v1.2.0_a.lz4", "migrate_v1.2.0_b.lz4"]),
            step("1.0.0", "1.2.0", &["migrate_v1.2.0_a.lz4"]),
        ],
        roles: vec![
            role("root", 2, "2027-05-01T00:00:00Z"),
            role("timestamp", 40, "2026-06-04T12:00:00Z"),
            role("snapshot", 40, "2026-06-12T12:00:00Z"),
            role("guard", 3, "2026-06-01T12:00:00Z"),
        ],
        errors: vec![Finding { code: "expired", what: "the role of guard expired".to_owned() }],
        advice: vec![Finding {
            code: "unused_target",
            what: "nothing in the manifest names the target x".to_owned(),
        }],
        decisions: Some(vec![
            entry("2026-06-03T11:55:00Z", "stop", 9, "it failed on 9 of 70 hosts that tried", "withheld"),
            entry("2026-06-03T11:50:00Z", "goes_on", 1, "", "nothing"),
        ]),
    }
}

#[test]
fn a_page_says_everything_in_one_file_without_a_script() {
    let text = page(&facts());
    is_golden("report.html", &text);
    for absent in ["<script", "http-equiv", "src=", "@import", "url(", "NaN", "<hosts>"] {
        assert!(!text.contains(absent), "{absent}");
    }
    for link in text.match_indices("href=\"").map(|(at, _)| &text[at + 6..at + 7]) {
        assert_eq!(link, "#", "it leads nowhere but into itself");
    }
}

#[test]
fn words_of_others_stay_words_and_every_tag_is_closed() {
    let mut facts = facts();
    let evil = "\"><script>alert(1)</script>\u{202e}&";
    facts.place = evil.to_owned();
    facts.list.variant = evil.to_owned();
    facts.list.withheld_unknown = Some(evil.to_owned());
    facts.list.releases[0].withheld = vec![evil.to_owned()];
    facts.errors[0].what = evil.to_owned();
    facts.steps[0].migrations = vec![evil.to_owned()];
    facts.costs[1].frames = Err(evil.to_owned());
    for entry in facts.decisions.iter_mut().flatten() {
        (entry.verdict, entry.done, entry.why) = ("stop".to_owned(), evil.to_owned(), vec![evil.to_owned()]);
    }
    let text = page(&facts);
    assert!(!text.contains("<script") && !text.contains('\u{202e}'), "{text}");
    for tag in [
        "section", "table", "tr", "th", "td", "ul", "li", "div", "svg", "text", "main", "nav", "h2", "h3",
        "p",
    ] {
        let opened = text.matches(&format!("<{tag}>")).count() + text.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, text.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn a_page_about_little_is_a_page() {
    let text = page(&Facts {
        list: ListReport { releases: vec![], ..facts().list },
        schedules: vec![],
        costs: vec![],
        steps: vec![],
        errors: vec![],
        advice: vec![],
        decisions: None,
        ..facts()
    });
    for words in
        ["Good: hosts can take updates from here", "Nothing is published", "There are not two releases"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("Decisions of the guard"));
}

#[tokio::test]
async fn the_page_tells_of_a_repository_what_is_in_it() {
    let fixture = Fixture::new().await;
    let framed = |version: &str, seed| {
        let mut release = fixture.release(version, seed);
        (release.framing, release.bases) = (Framing::default(), Bases::Newest(3));
        release
    };
    fixture.add(&framed("1.0.0", 1)).await.expect("published");
    let mut paced = framed("1.1.0", 1);
    paced.waves = Some(PathBuf::from("guarded"));
    paced.start_at = Some(today());
    fixture.add(&paced).await.expect("published");
    fixture.add(&framed("1.2.0", 3)).await.expect("published");
    let agreed = |_: &[String]| Ok(true);
    let version = "1.2.0".parse().expect("a version");
    rollout(&desk(&fixture), Action::Pause, &version, Lifetimes::default(), today(), agreed)
        .await
        .expect("paused");
    let journal = Journal::at(fixture.path("guard.jsonl"));
    let options = PageOptions { check: options(&fixture), journal: Some(journal) };
    let later = today() + Duration::hours(13);
    let facts = gather(&options, later, Arc::new(Silent)).await.expect("read");
    assert_eq!(facts.list.releases.len(), 3);
    assert_eq!(facts.decisions, Some(vec![]));
    assert_eq!((facts.schedules.len(), facts.roles.len()), (1, 4));
    let [cost] = &facts.costs[..] else { panic!("{:?}", facts.costs) };
    // The same images once more: only what says so is fetched.
    let frames = *cost.frames.as_ref().expect("known");
    assert!(frames < cost.whole / 10, "{cost:?}");
    let text = page(&facts);
    assert!(text.contains("Paused since") || text.contains("paused since"), "{text}");
    assert!(text.contains("<h3>1.1.0</h3>") && text.contains("now: 0.5 %"), "{text}");
}

#[tokio::test]
async fn the_program_writes_the_page() {
    let fixture = Fixture::empty();
    fixture.init_now().await;
    let given = ["report", "repo", "--trusted-root", "keys/root.json", "--variant", VARIANT, "--arch", ARCH];
    let output = pubrepo(&fixture, &[&given[..], &["--out", "page"]].concat());
    assert_eq!(done(output), "written: page/index.html\n");
    let text = std::fs::read_to_string(fixture.path("page/index.html")).expect("written");
    assert!(text.starts_with("<!DOCTYPE html>") && text.contains("Nothing is published"), "{text}");
}
