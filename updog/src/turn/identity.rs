//! The name under which a host asks for its turn: always the same, in every boot and from both sets, and not its machine id,
//! which `machine-id(5)` wants kept from others. It is made as `sd_id128_get_machine_app_specific(3)` makes it.

use ring::hmac;

/// What tells this purpose from others that the same host has names for.
const PURPOSE: [u8; 16] =
    [0x6f, 0x1d, 0x2a, 0x8c, 0x53, 0xb7, 0x4e, 0x0a, 0x9b, 0x46, 0xd0, 0x3e, 0x72, 0xc5, 0x18, 0xe4];

/// The name that `machine_id`, 32 hex digits, has for this purpose; `None` where it is not that.
#[must_use]
pub fn of(machine_id: &str) -> Option<String> {
    let machine: [u8; 16] = hex::decode(machine_id).ok()?.try_into().ok()?;
    Some(specific(&machine, &PURPOSE))
}

fn specific(machine: &[u8; 16], purpose: &[u8; 16]) -> String {
    let digest = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, machine), purpose);
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_ref()[..16]);
    // As in a UUID that was drawn.
    id[6] = (id[6] & 0x0f) | 0x40;
    id[8] = (id[8] & 0x3f) | 0x80;
    hex::encode(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_name_that_systemd_gives_and_tells_nothing_of_the_machine() {
        // Made by the HMAC of Python's standard library.
        let machine = "0123456789abcdef0123456789abcdef";
        assert_eq!(of(machine).unwrap(), "97701258b4404067a5b153b068e79b03");
        assert_ne!(of("0123456789abcdef0123456789abcdee"), of(machine));
        for none in ["", "uninitialized", "0123"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn this_machine_has_the_name_that_systemd_says() {
        let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let said = std::process::Command::new("systemd-id128")
            .args(["machine-id", "-a", &hex::encode(PURPOSE)])
            .output()
            .ok()
            .filter(|said| said.status.success());
        let (Some(ours), Some(said)) = (of(machine.trim()), said) else {
            eprintln!("skipped: this machine has no id, or no systemd-id128");
            return;
        };
        assert_eq!(ours, String::from_utf8_lossy(&said.stdout).trim());
    }
}
