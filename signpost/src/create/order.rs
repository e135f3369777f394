//! What was asked for, planned, then done.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_io::{Access, Disk as _, DiskLock, DiskRange, FileDisk, Medium, Paths};
use uuid::Uuid;

use super::blueprint::{Blueprint, Kind};
use super::ends::Ends;
use super::error::CreateError;
use super::kernel;
use super::laid::{FirstBoot, Laid};
use super::listing::Listing;
use super::place::TooSmall;
use super::size::{MIB, Mebibytes};
use super::standard::{Data, Hosts, Sets, Standard};
use crate::error::Error;
use crate::esp::volume;
use crate::layout::Layout;
use crate::sectors::DiskSectors;
use crate::step::Step;
use crate::table::{Copies, Geometry, Sectors as _, WriteError, lay_down};

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// The disk that is to carry the sets.
    pub disk: Target,
    /// A second one.
    pub data_disk: Option<Target>,
    /// The partitions.
    pub partitions: Partitions,
    /// What is to boot.
    pub first_boot: FirstBoot,
    /// What is done to a disk that holds something.
    pub occupied: Occupied,
}

/// A disk to lay out.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its node or file.
    pub path: PathBuf,
    /// Make it: an image file of this size.
    pub new_image: Option<Mebibytes>,
    /// Bytes per sector of an image file.
    pub sector_size: Option<u32>,
}

/// Where the partitions come from.
#[derive(Debug, Clone)]
pub enum Partitions {
    /// A person has written them down.
    Written(Blueprint),
    /// The standard layout.
    Standard {
        /// The size of the system in GiB; what suits the disk otherwise.
        gib: Option<u32>,
        /// How many sets.
        sets: Sets,
        /// For what kind of host.
        host: Hosts,
    },
}

/// What is done to a disk that holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupied {
    /// Nothing.
    Refuse,
    /// It is laid out anew, and what it holds is lost.
    Overwrite,
}

/// What is going to be done.
#[derive(Debug)]
pub struct Plan {
    occupied: Occupied,
    /// Whether the partitions that firmware starts from get a file system.
    format: bool,
    disk: Planned,
    data_disk: Option<Planned>,
}

#[derive(Debug)]
struct Planned {
    target: Target,
    geometry: Geometry,
    laid: Laid,
}

impl Plan {
    /// Looks at the disks and makes their tables; writes nothing.
    ///
    /// # Errors
    /// When a disk cannot be laid out so; see [`CreateError`].
    pub fn make(order: &Order) -> Result<Self, Error> {
        let failed = |source| Error::Create { disk: order.disk.path.clone(), source };
        if order.data_disk.as_ref().is_some_and(|data| same(&data.path, &order.disk.path)) {
            return Err(failed(CreateError::SameDisk));
        }
        let geometry = look(&order.disk, order.occupied)?;
        let blueprint = blueprint(order, geometry);
        match (&order.data_disk, blueprint.data_partitions.is_empty()) {
            (None, false) => return Err(failed(CreateError::NoDataDisk)),
            (Some(_), true) => return Err(failed(CreateError::NothingForDataDisk)),
            (None, true) | (Some(_), false) => {}
        }
        let laid =
            Laid::make(&blueprint.partitions, geometry, order.first_boot, &mut fresh).map_err(failed)?;
        let (table, _) = laid.copies().current().expect("it was judged");
        Layout::find(table).map_err(|source| failed(CreateError::Sets(source)))?;
        let disk = Planned { target: order.disk.clone(), geometry, laid };
        let data_disk = order.data_disk.as_ref().map(|target| {
            let geometry = look(target, order.occupied)?;
            let laid = Laid::make(&blueprint.data_partitions, geometry, FirstBoot::Nothing, &mut fresh)
                .map_err(|source| Error::Create { disk: target.path.clone(), source })?;
            Ok::<_, Error>(Planned { target: target.clone(), geometry, laid })
        });
        let format = matches!(order.partitions, Partitions::Standard { host: Hosts::Uefi, .. });
        Ok(Self { occupied: order.occupied, format, disk, data_disk: data_disk.transpose()? })
    }

    /// The tables as they will be: of the disk with the sets, and of the second one.
    #[must_use]
    pub fn listings(&self) -> (Listing, Option<Listing>) {
        (self.disk.listing(), self.data_disk.as_ref().map(Planned::listing))
    }

    /// Lays the disks out, the second one first, and reads back what is on them then. Also answers with what a person
    /// should know, a sentence each.
    ///
    /// # Errors
    /// When a disk is in use or refuses.
    pub fn apply(self, paths: &Paths) -> Result<Vec<String>, Error> {
        let disks = self.data_disk.iter().chain([&self.disk]);
        let mut notes = Vec::new();
        for disk in disks {
            if disk.write(self.occupied, self.format)? == Medium::Device {
                notes.extend(kernel::tell(paths, &disk.target.path, &disk.listing()));
            }
        }
        Ok(notes)
    }
}

impl Planned {
    fn listing(&self) -> Listing {
        Listing::new(&self.target.path, self.laid.copies()).expect("it was judged")
    }

    fn write(&self, occupied: Occupied, format: bool) -> Result<Medium, Error> {
        let path = &self.target.path;
        let failed = |source| Error::Create { disk: path.clone(), source };
        let disk = match self.target.new_image {
            Some(size) => FileDisk::create_image(path, size.bytes()).map_err(not_made),
            None => FileDisk::open_unused(path).map_err(not_opened),
        };
        let disk = of_sectors(disk.map_err(failed)?, self.geometry.sector_size);
        // Whoever looks at the node's lock, as udev does, leaves the disk alone meanwhile.
        let _lock = DiskLock::acquire(path)?;
        self.write_to(&disk, occupied).map_err(failed)?;
        let medium = disk.medium();
        if format {
            self.format(disk).map_err(|source| failed(CreateError::Format(source)))?;
        }
        Ok(medium)
    }

    /// Gives each partition that firmware starts from an empty file system.
    fn format(&self, disk: FileDisk) -> io::Result<()> {
        let disk: Arc<dyn host_io::Disk> = Arc::new(disk);
        let (table, _) = self.laid.copies().current().expect("it was judged");
        let sector = u64::from(self.geometry.sector_size);
        for entry in table.entries().used().filter(|entry| entry.type_guid == Kind::Efi.type_guid()) {
            let (start, len) = (entry.first_lba * sector, (entry.last_lba - entry.first_lba + 1) * sector);
            let partition = DiskRange::new(Arc::clone(&disk), start, len)?;
            let serial = u32::from_be_bytes(std::array::from_fn(|at| entry.guid.as_bytes()[at]));
            volume::format(&partition, &entry.name, serial)?;
        }
        Ok(())
    }

    fn write_to(&self, disk: &FileDisk, occupied: Occupied) -> Result<(), CreateError> {
        let mut sectors = DiskSectors::on_medium(disk);
        // It was looked at before; that nobody has come since is seen now.
        if sectors.geometry() != self.geometry {
            return Err(CreateError::Changed);
        }
        check(&mut sectors, occupied)?;
        let ends = self.laid.ends();
        lay_down(&mut sectors, ends.start(), ends.end()).map_err(explain)?;
        if Copies::read(&mut sectors) != *self.laid.copies() {
            return Err(CreateError::Changed);
        }
        Ok(())
    }
}

fn blueprint(order: &Order, geometry: Geometry) -> Blueprint {
    match &order.partitions {
        Partitions::Written(blueprint) => blueprint.clone(),
        Partitions::Standard { gib, sets, host } => {
            let data = if order.data_disk.is_some() { Data::SecondDisk } else { Data::SameDisk };
            let bytes = geometry.sectors.saturating_mul(u64::from(geometry.sector_size));
            gib.and_then(|gib| Standard::new(gib, *sets, data))
                .unwrap_or_else(|| Standard::suited(bytes, *sets, data))
                .on(*host)
                .blueprint()
        }
    }
}

/// The shape of a disk that may be laid out, or will be made.
fn look(target: &Target, occupied: Occupied) -> Result<Geometry, Error> {
    let path = &target.path;
    let failed = |source| Error::Create { disk: path.clone(), source };
    if let Some(odd) = target.sector_size.filter(|bytes| ![512, 4096].contains(bytes)) {
        return Err(failed(CreateError::SectorSize(odd)));
    }
    let there = std::fs::symlink_metadata(path).is_ok();
    let sector_size = target.sector_size.unwrap_or(512);
    if let Some(size) = target.new_image {
        if there {
            return Err(failed(CreateError::Exists));
        }
        if among_devices(path) {
            return Err(failed(CreateError::AmongDevices));
        }
        return Ok(Geometry { sector_size, sectors: size.bytes() / u64::from(sector_size) });
    }
    if !there {
        return Err(failed(CreateError::Missing));
    }
    let disk =
        FileDisk::open(path, Access::Read).map_err(|source| Error::Open { path: path.clone(), source })?;
    let disk = of_sectors(disk, sector_size);
    if target.sector_size.is_some_and(|asked| asked != disk.sector_size()) {
        return Err(failed(CreateError::SectorSize(sector_size)));
    }
    let mut sectors = DiskSectors::cached(&disk);
    check(&mut sectors, occupied).map_err(failed)?;
    Ok(sectors.geometry())
}

/// An image file has the sectors that it is said to have; a device has its own.
fn of_sectors(disk: FileDisk, bytes: u32) -> FileDisk {
    match disk.medium() {
        Medium::ImageFile => disk.with_sector_size(bytes),
        Medium::Device => disk,
    }
}

/// Whether a disk holds nothing where its table will lie. File systems, volumes and other tables all have their marks
/// there.
fn check(disk: &mut DiskSectors<'_>, occupied: Occupied) -> Result<(), CreateError> {
    let geometry = disk.geometry();
    let there = geometry.sectors.saturating_mul(u64::from(geometry.sector_size)) / MIB;
    let ends = Ends::of(disk).map_err(|source| CreateError::Write { step: Step::Look, source })?;
    let ends = ends.ok_or(TooSmall { needed: 2, there })?;
    match (occupied, ends.first_used()) {
        (Occupied::Overwrite, _) | (Occupied::Refuse, None) => Ok(()),
        (Occupied::Refuse, Some(at)) => {
            Err(if ends.have_a_table() { CreateError::HasTable } else { CreateError::NotEmpty { at } })
        }
    }
}

/// Whether a new file would lie where only device nodes belong, as when a disk's name is mistyped.
fn among_devices(path: &Path) -> bool {
    let dir = path.parent().and_then(|dir| dir.canonicalize().ok()).unwrap_or_default();
    dir.starts_with("/dev") && !dir.starts_with("/dev/shm")
}

/// Whether two names are of one disk.
fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

/// An identifier that nobody has: version 4 of RFC 9562.
fn fresh() -> Result<Uuid, CreateError> {
    let mut bytes = [0u8; 16];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| CreateError::Random(errno.into()))?;
    if got != bytes.len() {
        return Err(CreateError::Random(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

fn not_made(error: io::Error) -> CreateError {
    match error.kind() {
        io::ErrorKind::AlreadyExists => CreateError::Exists,
        _ => CreateError::Make(error),
    }
}

fn not_opened(error: io::Error) -> CreateError {
    match error.kind() {
        io::ErrorKind::NotFound => CreateError::Missing,
        io::ErrorKind::ResourceBusy => CreateError::InUse,
        _ => CreateError::Write { step: Step::Look, source: error },
    }
}

fn explain(error: WriteError<io::Error, CreateError>) -> CreateError {
    match error {
        // A whole new table does not depend on the old one.
        WriteError::Unusable(_) => CreateError::Changed,
        WriteError::Refused(error) => error,
        WriteError::Settle(source) => CreateError::Write { step: Step::Settle, source },
        WriteError::Write { which, lba, source } => {
            CreateError::Write { step: Step::Write(which, lba), source }
        }
        WriteError::Sync { which, source } => CreateError::Write { step: Step::Sync(which), source },
        WriteError::ReadBack { which, lba, source } => {
            CreateError::Write { step: Step::ReadBack(which, lba), source }
        }
        WriteError::Differs { which, lba } => CreateError::Differs { which, lba },
    }
}
