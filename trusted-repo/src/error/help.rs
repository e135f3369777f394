//! The word for an error that programs go by, and what a person does about it next.

use host_io::Advise;

use super::Error;
use crate::transport::Fault;

impl Advise for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Metadata { name, source, .. } => match source {
                Fault::Html { .. } | Fault::TooLong { .. } => "not_a_repository",
                source if source.is_missing() && is_named_by_another(name) => "missing_target",
                source if source.is_missing() => "not_a_repository",
                Fault::Credentials { .. } | Fault::Environment(_) | Fault::NoThread(_) => "failed",
                Fault::OverBudget { .. } => "over_budget",
                _ => "unreachable",
            },
            Self::Target { source, .. } => match source {
                Fault::Html { .. } => "not_a_repository",
                Fault::TooLong { .. } | Fault::Length { .. } => "tampered",
                source if source.is_missing() => "missing_target",
                Fault::OverBudget { .. } => "over_budget",
                _ => "unreachable",
            },
            Self::Malformed { .. } => "not_a_repository",
            Self::Expired { .. } => "expired",
            Self::Untrusted { .. } | Self::RolledBack { .. } | Self::RootsApart { .. } => "untrusted",
            Self::Anchor { .. } | Self::NotBegun { .. } => "untrusted",
            Self::Memory { .. } | Self::Unsaved { .. } => "memory",
            Self::MissingTarget { .. } => "missing_target",
            Self::Tampered { .. } | Self::Pin { .. } => "tampered",
            Self::Withheld { source, .. } => source.code(),
            Self::TooLarge { .. }
            | Self::Manifest { .. }
            | Self::Holds { .. }
            | Self::Cache { .. }
            | Self::Failed { .. } => "failed",
        }
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            Self::Metadata { name, place, source: Fault::Missing | Fault::NoFile { .. } }
                if is_named_by_another(name) =>
            {
                if !place.contains("://") {
                    return Some(copy_again(place));
                }
                "tell the repository's owner: it is not complete, or this mirror has not caught up with it"
            }
            Self::Metadata { source, .. } | Self::Target { source, .. } => return Some(help_for(source)),
            Self::Malformed { .. } => "check that the metadata URL leads to a TUF repository",
            Self::Expired { .. } => {
                "check this host's clock; if it is right, the repository's owner has to sign fresh metadata"
            }
            Self::Untrusted { .. } => {
                "check that the metadata URL belongs to the root role that this image ships; do not use this mirror otherwise"
            }
            Self::RolledBack { .. } => {
                "a mirror or proxy seems to serve an old state: use another one, or wait until it has caught up"
            }
            Self::RootsApart { trust_dir, .. } => {
                return Some(format!(
                    "check the metadata URL and the image; if the repository was founded anew on purpose, run \"updog trust reset --yes\" or remove {}",
                    trust_dir.display()
                ));
            }
            Self::Anchor { .. } => "install an image with a valid root.json",
            Self::NotBegun { .. } => "give it one with \"init\" first",
            Self::Memory { path, .. } => {
                return Some(format!(
                    "check the disk; to trust the repository as on the first day, run \"updog trust reset --yes\" or remove {}",
                    path.display()
                ));
            }
            Self::Unsaved { .. } => {
                "check that the persistent partition is healthy, writable and has free space"
            }
            Self::MissingTarget { dir: Some(dir), .. } => {
                return Some(copy_again(&dir.display().to_string()));
            }
            Self::MissingTarget { dir: None, .. } => "tell the repository's owner: it is not complete",
            Self::Tampered { .. } => {
                "do not use this mirror; try another one, and tell the repository's owner"
            }
            Self::TooLarge { .. } => "tell the repository's owner: this target is larger than a host accepts",
            Self::Manifest { .. } => "tell the repository's owner: the manifest needs to be published again",
            Self::Withheld { role, source } => return help_for_holds(role, source),
            Self::Holds { .. } => "tell the repository's owner: the holds need to be published again",
            Self::Pin { .. } => "stage the update again",
            Self::Cache { .. } => "check that the persistent partition is healthy and has free space",
            Self::Failed { .. } => return None,
        };
        Some(text.to_owned())
    }
}

/// What helps where a directory of this host lacks a file: no owner of a repository can put it there.
fn copy_again(dir: &str) -> String {
    format!(
        "the copy in {dir} is not complete: copy the repository there again; where an update was staged there, stage it again"
    )
}

/// Whether a metadata file is asked for because signed metadata names it: then there is a repository, and it lacks the file.
/// Only timestamp and roots are asked for by anybody who has nothing yet.
fn is_named_by_another(name: &str) -> bool {
    name != "timestamp.json" && name != "root.json" && !name.ends_with(".root.json")
}

/// What helps is another thing for each way in which holds can be unknown.
fn help_for_holds(role: &str, source: &Error) -> Option<String> {
    let again = match source {
        Error::Expired { .. } => {
            format!("whoever keeps the role signs it again (\"pubrepo refresh --team {role}\")")
        }
        // It is what was signed: no copy is any better.
        Error::Holds { .. } | Error::TooLarge { .. } => {
            "whoever keeps the role signs holds that hosts understand".to_owned()
        }
        Error::Metadata { .. }
        | Error::Target { .. }
        | Error::Malformed { .. }
        | Error::MissingTarget { .. }
        | Error::Tampered { .. }
            if !source.is_of_the_way() =>
        {
            "whoever runs the repository puts the file back from a copy".to_owned()
        }
        _ => return source.help(),
    };
    Some(format!(
        "no update is chosen until this is known: {again}, or the holder of the targets key ends the role (\"pubrepo delegate remove {role}\")"
    ))
}

fn help_for(fault: &Fault) -> String {
    match fault {
        Fault::Dns { .. } => "check the host name in the URL and this host's resolver",
        Fault::Refused { .. } | Fault::NoRoute { .. } | Fault::NoConnection { .. } => {
            "check the URL and the network, then try again"
        }
        Fault::Tls { .. } => "check this host's clock and CA certificates, and the server's certificate",
        Fault::Reset { .. } | Fault::Stalled { .. } | Fault::Slow { .. } | Fault::Overdue { .. } => {
            "the network is poor; try again later, what is there already is not lost"
        }
        Fault::Proxy { .. } => "check the proxy's address, and whether it asks for a login or forbids this host",
        Fault::Environment(_) => "correct that variable, or take it away",
        Fault::Credentials { .. } => "correct the file: it has to be PEM, a client certificate with its key",
        Fault::Status { status: 429, .. } => "it is asked more often than it allows; try again later",
        Fault::Status { status, .. } if *status >= 500 => "the server has a problem; try again later",
        Fault::Status { .. } => "check the URL, and what a proxy on the way demands",
        Fault::Missing | Fault::NoFile { .. } => "check the address: there is no TUF repository",
        Fault::Html { .. } => {
            "a portal or proxy answers in the repository's place: log in there, or set the right proxy and URL"
        }
        Fault::Denied { .. } => {
            "check the login or the signature in the URL, whether it has run out, and what the server lets this host read"
        }
        Fault::Behind { host, to, source } if source.is_missing() => {
            return format!("look whether {to} has what {host} sends on to it, and check the URL");
        }
        Fault::Behind { source, .. } => return help_for(source),
        Fault::Redirect { .. } => "check the URL, or tell whoever runs that server",
        Fault::Encoded { .. } => {
            "have the server or what lies before it send files as they are, without compressing them"
        }
        Fault::NoResume { .. } => {
            "a web server that answers range requests goes on where the link broke; else try again on a better network"
        }
        Fault::OverBudget { .. } => {
            "allow more with --max-bytes or the setting updates.data-budget; \"updog plan\" shows what takes how much"
        }
        Fault::NoRanges { .. } => "a web server that answers range requests saves the host most of the download",
        Fault::Length { .. } | Fault::TooLong { .. } => {
            "do not use this mirror; try another one, and tell the repository's owner"
        }
        Fault::Local { .. } => "check that the directory is mounted and readable",
        Fault::NoThread(_) => "end what runs beside it, or let more run: TasksMax= of its unit, ulimit -u of a shell",
        Fault::Other(_) => "check the URL and the proxy",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_completes_a_repository_is_whoever_keeps_the_place_that_lacks_something() {
        let here = Fault::NoFile { dir: "/media/usb/targets".into() };
        for (fault, whose) in
            [(Fault::Missing, "the repository's owner"), (here, "/media/usb/targets is not complete")]
        {
            let help = Error::of_target("root.lz4", fault).help().expect("a next step");
            assert!(help.contains(whose), "{help}");
        }
        let lacking = |name: &str, place: &str| {
            let error =
                Error::Metadata { name: name.to_owned(), place: place.to_owned(), source: Fault::Missing };
            (error.code(), error.help().expect("a next step"))
        };
        let (code, help) = lacking("3.team.json", "https://repo.example/metadata/");
        assert!(code == "missing_target" && help.contains("the repository's owner"), "{help}");
        let (code, help) = lacking("3.team.json", "/var/lib/updates/metadata");
        assert!(code == "missing_target" && !help.contains("owner"), "{help}");
        assert!(help.contains("/var/lib/updates/metadata is not complete"), "{help}");
        let (code, help) = lacking("timestamp.json", "https://repo.example/metadata/");
        assert!(code == "not_a_repository" && help.contains("check the address"), "{help}");
    }
}
