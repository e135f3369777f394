//! Microseconds since the processor was started, by its own counter.

use core::sync::atomic::{AtomicU64, Ordering};

/// The counter's frequency, once it is known. Each measurement is a little off: two times are compared by one of them.
static FREQUENCY: AtomicU64 = AtomicU64::new(0);

/// The time now; 0 where the counter does not tell.
pub(super) fn now() -> u64 {
    let per_second = match FREQUENCY.load(Ordering::Relaxed) {
        0 => {
            let measured = frequency();
            FREQUENCY.store(measured, Ordering::Relaxed);
            measured
        }
        known => known,
    };
    let ticks = u128::from(ticks()) * 1_000_000;
    ticks.checked_div(u128::from(per_second)).and_then(|time| u64::try_from(time).ok()).unwrap_or_default()
}

/// The counter does not tell its frequency on every processor, so it is held against the firmware's own wait.
#[cfg(target_arch = "x86_64")]
fn frequency() -> u64 {
    let before = ticks();
    uefi::boot::stall(core::time::Duration::from_millis(1));
    ticks().wrapping_sub(before).saturating_mul(1_000)
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "an instruction")]
fn ticks() -> u64 {
    // SAFETY: every x86_64 processor has this counter, and reading it changes nothing.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(target_arch = "aarch64")]
#[expect(unsafe_code, reason = "a register")]
fn frequency() -> u64 {
    let value: u64;
    // SAFETY: firmware sets this register up before it starts programs, and reading it changes nothing.
    unsafe { core::arch::asm!("mrs {}, cntfrq_el0", out(reg) value, options(nomem, nostack)) };
    value
}

#[cfg(target_arch = "aarch64")]
#[expect(unsafe_code, reason = "a register")]
fn ticks() -> u64 {
    let value: u64;
    // SAFETY: firmware lets programs read this counter, and reading it changes nothing.
    unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) value, options(nomem, nostack)) };
    value
}
