//! A rollout plan and the schedules that are made of it.
#![no_main]

use chrono::{DateTime, TimeDelta};
use libfuzzer_sys::fuzz_target;
use update_metadata::{Density, Pace, WavePolicy};

fuzz_target!(|text: &str| {
    let Ok(policy) = WavePolicy::parse(text) else { return };
    let _for_people = policy.advice();
    let start = DateTime::from_timestamp(1_700_000_000, 0).expect("a date");
    let Ok(schedule) = policy.schedule(start) else { return };
    assert!(schedule.keys().all(|seed| *seed <= 2048), "a wave begins at a seed");
    for density in [Density::Sparse, Density::default()] {
        for tail in [None, Some(TimeDelta::days(1))] {
            let Ok(paced) = (Pace { density, tail }).apply(&schedule) else { continue };
            assert!(paced.len() <= 2049, "no more dates than seeds");
            assert!(
                schedule.iter().all(|(seed, date)| paced.get(seed) == Some(date)),
                "waves stay where they are"
            );
        }
    }
});
