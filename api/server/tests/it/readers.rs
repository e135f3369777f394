//! What is made of settings, held against the programs that read it; skipped where they are not installed.

use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use settings_model::Format;
use trusted_repo::{Address, Exception, ProxyAddress};

use crate::host::Host;

/// What chrony makes of a file, line by line; `None` where there is no chrony. It ends before it touches the clock.
fn chrony(file: &Path) -> Option<(bool, String)> {
    // Debian has it where only root looks.
    let programs = ["chronyd", "/usr/sbin/chronyd"].into_iter();
    let mut ran =
        programs.filter_map(|program| Command::new(program).args(["-p", "-f"]).arg(file).output().ok());
    let Some(output) = ran.next() else {
        eprintln!("SKIPPED: there is no chronyd here, so nobody reads what is made of settings.ntp");
        return None;
    };
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn debians_chrony_reads_what_is_made_of_the_clocks_settings() {
    let host = Host::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/usr/share/bottlerocket");
    for file in ["settings.d/ntp.toml", "templates/chrony.conf"] {
        let text = std::fs::read_to_string(shipped.join(file)).unwrap();
        host.write(&host.root().join("usr/share/bottlerocket").join(file), &text);
    }
    host.install_program("systemctl", "");
    let server = host.serve();
    let wishes = [
        ("{}", "pool 0.pool.ntp.org iburst"),
        (r#"{"ntp":{"time-servers":[]}}"#, "driftfile"),
        (
            r#"{"ntp":{"time-servers":["time.example","192.0.2.1","2001:db8::1"],"options":["iburst","minpoll","4","maxdelay","0.3"]}}"#,
            "pool 2001:db8::1 iburst minpoll 4 maxdelay 0.3",
        ),
    ];
    for (wish, line) in wishes {
        if wish != "{}" {
            server.patch("/settings", wish).done();
            server.post("/tx/commit_and_apply").ok();
        }
        for place in ["etc/chrony.conf", "etc/chrony/chrony.conf"] {
            let Some((read, said)) = chrony(&host.root().join(place)) else { return };
            assert!(read && said.lines().any(|told| told.starts_with(line)), "{wish}: {place}: {said}");
        }
    }
    // And it does judge.
    let file = host.root().join("etc/chrony.conf");
    host.write(&file, "pool time.example hourly\n");
    let (read, said) = chrony(&file).expect("it was there a moment ago");
    assert!(!read && said.contains("pool"), "{said}");
}

proptest! {
    /// A setting that `updog` refuses is an update that nobody gets any more.
    #[test]
    fn updog_reads_every_proxy_and_exception_that_can_be_set(
        text in r"(https?://)?(me:x@)?(xn--)?[a0é.:*/+@\[\]-]{0,12}|(\[?[0-9a-f:]{0,9}\]?|[0-9]{1,3}(\.[0-9]{0,3}){0,4}|\*?[.a-z0-9x]{0,6})([:/][+]?[0-9]{0,5})?",
    ) {
        if Format::Proxy.takes(&text) {
            prop_assert!(ProxyAddress::parse(&text).is_ok(), "{text:?}: {:?}", ProxyAddress::parse(&text));
        }
        if Format::ProxyException.takes(&text) {
            prop_assert!(Exception::parse(&text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn updog_reads_every_address_that_can_be_set(
        text in r"(https?|HTTP|file):/{0,4}(me:x@)?(xn--)?[a0é.:*/+@\[\]-]{0,12}(/[a-z é\\]{0,4})?",
    ) {
        // Another host than this one has no directory for it, and no setting knows that.
        if Format::Url.takes(&text) && !text.starts_with("file://") {
            prop_assert!(Address::parse(&text).is_ok(), "{text:?}: {:?}", Address::parse(&text));
        }
    }
}
