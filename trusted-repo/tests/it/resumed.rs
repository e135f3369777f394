//! An object that breaks off, and whether what comes next continues it.

use testdata::{Fault, Habit, noise};

use crate::fixture::assert_refused;
use crate::served::Served;

#[tokio::test]
async fn reset_in_the_middle_of_a_target_is_resumed() {
    let served = Served::new();
    served.server.fault("root.lz4", Fault::ResetAfter(100_000).once());
    assert_eq!(served.stream().await.expect("resumed"), noise(1, 300_000));
    let requests = served.requests_for("root.lz4");
    assert_eq!(requests.len(), 2);
    assert!(requests[0].range.is_none());
    assert!(requests[1].range.is_some(), "the rest is asked for, not everything");
    assert_eq!(requests[1].status, Some(206));
}

#[tokio::test]
async fn reset_again_and_again_comes_to_an_end_as_long_as_bytes_keep_coming() {
    let served = Served::new();
    served.server.fault("root.lz4", Fault::Truncate(20_000).times(14));
    assert_eq!(served.stream().await.expect("in the end"), noise(1, 300_000));
    assert_eq!(served.requests_for("root.lz4").len(), 15);
    let sent: u64 = served.requests_for("root.lz4").iter().map(|request| request.bytes).sum();
    assert_eq!(sent, 300_000, "nothing came twice");
}

#[tokio::test]
async fn reset_without_progress_ends_in_an_error() {
    let served = Served::new();
    served.server.fault("root.lz4", Fault::Reset);
    assert_refused(served.stream().await, "unreachable", "broke off after 0 bytes");
    assert_eq!(served.requests_for("root.lz4").len(), 5);
}

#[tokio::test]
async fn wrong_range_is_not_believed_and_the_target_begins_again() {
    let served = Served::new();
    served.server.fault("root.lz4", Fault::Truncate(100_000).once());
    served.server.fault("root.lz4", Fault::WrongRange);
    assert_eq!(served.stream().await.expect("begun again"), noise(1, 300_000));
    let requests = served.requests_for("root.lz4");
    let parts: Vec<_> = requests.iter().map(|request| request.range.as_deref()).collect();
    // The first wrong part begins early and has something new; the second one has nothing.
    assert_eq!(parts, [None, Some("bytes=100000-"), Some("bytes=200000-"), None], "everything again");
    assert_eq!((requests[1].status, requests[2].status), (Some(206), Some(206)));
}

#[tokio::test]
async fn object_that_changes_behind_a_resume_is_refused() {
    let served = Served::new();
    served.server.fault("root.lz4", Fault::Truncate(100_000).once());
    served.server.fault("root.lz4", Fault::Swap(noise(2, 300_000)));
    assert_refused(served.stream().await, "tampered", "its SHA-256 is");
    let requests = served.requests_for("root.lz4");
    assert_eq!((requests.len(), requests[1].status), (2, Some(206)), "the digest judges, not the validator");
}

#[tokio::test]
async fn part_of_an_object_that_nobody_names_continues_only_what_a_signed_digest_guards() {
    let served = Served::new();
    served.server.habit(Habit::NoValidators);
    served.server.fault("root.lz4", Fault::Truncate(100_000).once());
    served.server.fault("timestamp.json", Fault::Truncate(100).once());
    assert_eq!(served.stream().await.expect("resumed"), noise(1, 300_000));
    let images = served.requests_for("root.lz4");
    assert_eq!((images[1].range.as_deref(), images[1].status), (Some("bytes=100000-"), Some(206)));
    assert_eq!(images.len(), 2);
    // A timestamp has no digest that is signed elsewhere: it begins again.
    let timestamps = served.requests_for("timestamp.json");
    assert_eq!(timestamps.len(), 2);
    assert_eq!((timestamps[1].status, timestamps[1].range.as_deref()), (Some(200), None));
}

#[tokio::test]
async fn every_kind_of_server_that_knows_ranges_is_resumed() {
    let kinds = [
        vec![Habit::NewValidators],
        vec![Habit::NoValidators],
        vec![Habit::Chunked],
        vec![Habit::NoTotal],
        vec![Habit::Early(100)],
        vec![Habit::Early(100), Habit::NoTotal, Habit::Chunked, Habit::NewValidators],
    ];
    for habits in kinds {
        let served = Served::new();
        let early = if habits.contains(&Habit::Early(100)) { 200 } else { 0 };
        habits.iter().for_each(|habit| served.server.habit(*habit));
        served.server.fault("root.lz4", Fault::Truncate(100_000).times(2));
        assert_eq!(served.stream().await.expect("resumed"), noise(1, 300_000), "{habits:?}");
        let sent: u64 = served.requests_for("root.lz4").iter().map(|request| request.bytes).sum();
        assert_eq!(sent, 300_000 + early, "{habits:?}");
        assert_eq!(served.requests_for("root.lz4")[1].status, Some(206), "{habits:?}");
    }
}

#[tokio::test]
async fn chunked_object_that_breaks_off_behind_its_last_byte_is_whole() {
    let served = Served::new();
    served.server.habit(Habit::Chunked);
    served.server.fault("root.lz4", Fault::Truncate(300_000));
    assert_eq!(served.stream().await.expect("all of it"), noise(1, 300_000));
    assert_eq!(served.requests_for("root.lz4").len(), 1);
}

#[tokio::test]
async fn part_of_an_object_of_another_length_is_a_wrong_object() {
    let served = Served::new();
    served.server.habit(Habit::LongerTotal(5));
    served.server.fault("root.lz4", Fault::Truncate(100_000).once());
    assert_refused(served.stream().await, "tampered", "300005 bytes long, and 300000 are signed");
}

#[tokio::test]
async fn parts_that_do_not_fit_together_are_asked_for_once_in_one_piece() {
    let served = Served::new();
    let repository = served.open().await.expect("opened");
    served.server.fault("root.lz4", Fault::Truncate(100_000).once());
    served.server.fault("root.lz4", Fault::Swap(noise(2, 300_000)).once());
    let fetched = repository.fetch("root.lz4", 1 << 20).await.expect("in one piece");
    assert_eq!(fetched.bytes(), noise(1, 300_000));
    let requests = served.requests_for("root.lz4");
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[2].range, None);
    // Once, and not for ever.
    served.server.fault("root.lz4", Fault::Truncate(100_000).once());
    served.server.fault("root.lz4", Fault::Swap(noise(2, 300_000)).times(2));
    assert_refused(repository.fetch("root.lz4", 1 << 20).await, "tampered", "its SHA-256 is");
    assert_eq!(served.requests_for("root.lz4").len(), 6);
}

#[tokio::test]
async fn object_that_can_only_begin_again_is_given_up_on_however_far_it_comes() {
    let served = Served::new();
    served.server.habit(Habit::NoRanges);
    for further in 1..20 {
        served.server.fault("root.lz4", Fault::Truncate(further * 20_000).once());
    }
    assert_refused(served.stream().await, "unreachable", "began it anew each time");
    assert!(served.requests_for("root.lz4").len() <= 7, "one by range, and five attempts");
}
