//! What is told to the system that runs then: the variables of the Boot Loader Interface by their definitions
//! (systemd's page of that name), and one of our own. All of them are gone with the next reset.

use alloc::format;
use alloc::vec::Vec;

use bootpick::content::SecureBoot;
use signpost::handover::{self, Handover};
use uefi::runtime::{self, VariableAttributes, VariableVendor};
use uefi::{CStr16, Guid, Status, cstr16, guid};
use uuid::Uuid;

use super::{clock, say};

const LOADER: VariableVendor = VariableVendor(guid!("4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"));
const VOLATILE: VariableAttributes =
    VariableAttributes::BOOTSERVICE_ACCESS.union(VariableAttributes::RUNTIME_ACCESS);

/// Who we are and when we were started.
pub(super) fn introduce(started: u64) {
    tell(cstr16!("LoaderInfo"), &format!("bootpick {}", env!("CARGO_PKG_VERSION")));
    tell(cstr16!("LoaderTimeInitUSec"), &format!("{started}"));
}

/// The partition that we came from. It says nothing of the set that runs.
pub(super) fn came_from(esp: Uuid) {
    tell(cstr16!("LoaderDevicePartUUID"), &format!("{esp}"));
}

/// What is started in a moment.
pub(super) fn selected(id: &str, handover: &Handover) {
    tell(cstr16!("LoaderEntrySelected"), id);
    tell(cstr16!("LoaderTimeExecUSec"), &format!("{}", clock::now()));
    let name: Vec<u16> = handover::NAME.encode_utf16().chain([0]).collect();
    if let Ok(name) = CStr16::from_u16_with_nul(&name) {
        let vendor = VariableVendor(Guid::from_bytes(handover::VENDOR.to_bytes_le()));
        set(name, &vendor, handover.to_text().as_bytes());
    }
}

/// Whether the firmware checks signatures: told to, and past its set-up.
pub(super) fn secure_boot() -> SecureBoot {
    let is_one = |name: &CStr16| {
        let mut value = [0; 8];
        runtime::get_variable(name, &VariableVendor::GLOBAL_VARIABLE, &mut value)
            .is_ok_and(|(value, _)| value == [1])
    };
    if is_one(cstr16!("SecureBoot")) && !is_one(cstr16!("SetupMode")) {
        SecureBoot::Enforced
    } else {
        SecureBoot::Off
    }
}

fn tell(name: &CStr16, value: &str) {
    let units: Vec<u8> = value.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    set(name, &LOADER, &units);
}

fn set(name: &CStr16, vendor: &VariableVendor, value: &[u8]) {
    // A lasting variable of that name, which any root user can leave, would keep its attributes, and its value with them.
    match runtime::delete_variable(name, vendor) {
        Ok(()) => {}
        Err(error) if error.status() == Status::NOT_FOUND => {}
        Err(error) => say(format_args!("the variable {name} cannot be deleted: {error}")),
    }
    if let Err(error) = runtime::set_variable(name, vendor, VOLATILE, value) {
        say(format_args!("the variable {name} cannot be set: {error}"));
    }
}
