//! What a publisher does about an error next.

use host_io::Advise;

use super::Error;

impl Advise for Error {
    fn help(&self) -> Option<String> {
        let text = match self {
            Self::File { .. } => "check the path, the permissions and the free space",
            Self::Neighbour { .. } => {
                "nothing was removed, as it may name any file; put it back from a copy, or take its directory away if nobody asks there any more"
            }
            Self::NoRoot { .. } => {
                "give the root.json that images ship; \"pubrepo init\" leaves it beside the keys"
            }
            Self::Name { .. } => "choose another word",
            Self::KeysServed { .. } => "give --keys a directory outside of the repository",
            Self::Exists { .. } => "add releases to it with \"pubrepo add\", or choose another directory",
            Self::HalfTheKeys { .. } => "give the directory with all keys, or an empty one",
            Self::OtherRoot { .. } => "leave --root out, or give another directory of keys",
            Self::Paused { .. } | Self::PausedAlready { .. } => {
                "let it go on with \"pubrepo resume\", or take it back with \"pubrepo recall\""
            }
            Self::NoWaves { .. } => {
                "give a file, or one of those that the program has: accelerated, default, emergency, guarded, slow-roll"
            }
            Self::NotPaused { .. } => {
                "there is nothing to do; \"pubrepo list\" shows what is offered and what is paused"
            }
            Self::NoSuchRelease { .. } => {
                "\"pubrepo list\" shows what there is; what was recalled or removed does not come back: publish the next version"
            }
            Self::NoRepository { .. } => "make one with \"pubrepo init\" first",
            Self::MaxVersion { .. } => "leave --max-version out, or give one that is not below the version",
            Self::Republished { .. } => {
                "publish a new version instead: hosts may have fetched half of the old one"
            }
            Self::Image { image: "hash", .. } | Self::HashImage { .. } => {
                "leave --hash out, or give the hash image that was built over this root image"
            }
            Self::Image { .. } => "build the image again; a root image is padded to whole blocks",
            Self::Misnamed { .. } => {
                "give the version and the variant of the image, or build it with the right VERSION_ID and VARIANT_ID: hosts would install it again and again"
            }
            Self::Frames { .. } => "give a larger --frame-size, or leave frames out with --plain",
            Self::PackBase { .. } => {
                "see what is published with \"pubrepo list\"; give other versions, or leave packs out with --no-packs"
            }
            Self::Pack { .. } => "see that there is enough memory, or leave packs out with --no-packs",
            Self::PackProof { .. } => {
                "nothing was published; an image was changed meanwhile, or this is a fault of the program: leave packs out with --no-packs and report it"
            }
            Self::OtherRelease { .. } => "give the Release.toml of this version",
            Self::Rollout { .. } => "see what is on offer and what is paused with \"pubrepo check\"",
            Self::DraftExists { .. } => "choose another name, or go on with that file",
            Self::NoPrevious { .. } => "give it with --from",
            Self::Passphrase { .. } => "set it, or give --passphrase-file",
            Self::NotOffered { .. } => "see what is on offer with \"pubrepo check\"",
            Self::NotAgreed { .. } => "give --yes to do it without being asked",
            Self::Busy(_) => "wait until the other publisher is done, then run the command again",
            Self::Overtaken { .. } => "nothing of this was published; run the command again",
            Self::Release { .. } | Self::Waves { .. } | Self::Expiration { .. } => "correct the file",
            Self::MissingMigrations { .. } => {
                "put them, without .lz4, into the directory that --migrations names"
            }
            Self::Doubtful { instead, .. } => {
                return Some(format!(
                    "nothing was published; {instead}; with --force it is published as it is"
                ));
            }
            Self::Manifest(_) => "correct Release.toml or the wave policy",
            Self::DamagedManifest { .. } => "restore the repository from a copy",
            Self::Author(error) => return error.help(),
            Self::Address { .. } => "give an address such as https://updates.example.com, or a directory",
            Self::Repository(error) => return error.help(),
            Self::Hold(refused) => return refused.help(),
            Self::Guard(refused) => return refused.help(),
            Self::Store(refused) => return refused.help(),
            Self::Scenario(_) => "give other numbers",
            Self::Worker { .. } => return None,
        };
        Some(text.to_owned())
    }
}
