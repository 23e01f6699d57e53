//! Exact images of a simulation: what one that is read from an image does with the same inputs is, byte for byte,
//! what the original does.
//!
//! So an image has everything that the order of things follows from, and not only their values: bevy's tables in
//! the order in which they were made, empty ones included, with their rows in order; entities without rows; the
//! cell that each entity counts to, which may lag behind its place; ids, timers, random numbers; how far each
//! system is in its period. What bevy calls an entity or a table is in no image and makes no difference.
//!
//! What a guest remembers by itself is not in it: see [`crate::Simulation::renew`].

mod codec;
mod rows;

use std::io::{self, Read, Write};

use evertick_schema::{Duration, ModuleDescription};
use thiserror::Error;

use crate::config::{Config, Limits};
use crate::restore::RestoreError;
use crate::simulation::Simulation;
use crate::system::Pace;
pub(crate) use codec::{In, Out};

const MAGIC: &[u8] = b"evertick image 1";

/// Why a simulation can't be read from an image. It is of no use after that: make a new one.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The image can't be read.
    #[error("the image can't be read: {0}")]
    Io(#[from] io::Error),
    /// It is none.
    #[error("this is not an image of a simulation, or one of another version of Evertick")]
    NotAnImage,
    /// There is something in the simulation.
    #[error("the simulation has run already; read an image into a new one")]
    NotNew,
    /// It is of other modules, or of other builds.
    #[error(
        "the image is of the modules {image}, and the simulation has {simulation}; load the builds that the image was made with, in the same order"
    )]
    Modules {
        /// The image's modules, with the start of their schema hashes.
        image: String,
        /// The simulation's, likewise.
        simulation: String,
    },
    /// Its bytes are not those that were written.
    #[error("the image is damaged: {0}; use another copy")]
    Damaged(&'static str),
    /// Its rows make no world.
    #[error("the image is damaged: {0}")]
    Rows(#[from] RestoreError),
}

impl Simulation {
    /// Writes an exact image, which [`Simulation::read_image`] reads. To be called right after a commit: with
    /// changes that are not committed it is an error of kind [`io::ErrorKind::InvalidInput`].
    ///
    /// Cost: a copy and a checksum of all rows; about 16 bytes more per entity.
    pub fn write_image(&self, out: &mut impl Write) -> io::Result<()> {
        if !self.world.is_committed() {
            let why = "there are changes that are not committed; write an image right after a commit";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let mut out = Out::new(out);
        out.put(MAGIC)?;
        let modules = self.modules();
        out.u64(modules.len() as u64)?;
        for module in modules {
            out.blob(module.name.as_bytes())?;
            out.put(&module.hash().0)?;
        }
        write_config(self.world.config(), &mut out)?;
        out.u64(self.tick_length.0 as u64)?;
        out.u64(self.tick)?;
        out.u64(self.faults.count())?;
        out.u64(self.systems.paces.len() as u64)?;
        for pace in &self.systems.paces {
            let Pace { elapsed, carried, .. } = *pace.lock();
            out.u64(elapsed as u64)?;
            out.u64(carried as u64)?;
        }
        self.world.write_image(&mut out)?;
        out.finish()
    }

    /// Becomes what an image says. The simulation is new and has the same modules as the image's. The settings and
    /// the length of a tick are the image's, whatever it was made with.
    pub fn read_image(&mut self, input: &mut impl Read) -> Result<(), ImageError> {
        if self.tick > 0 || !self.world.is_new() {
            return Err(ImageError::NotNew);
        }
        let mut input = In::new(input);
        if input.bytes(MAGIC.len())? != MAGIC {
            return Err(ImageError::NotAnImage);
        }
        self.check_modules(&mut input)?;
        self.world.reset(read_config(&mut input)?);
        self.tick_length = Duration(input.u64()? as i64);
        self.tick = input.u64()?;
        self.faults.resume(input.u64()?);
        if input.u64()? != self.systems.paces.len() as u64 {
            return Err(ImageError::Damaged("it has another number of systems than its modules"));
        }
        for pace in &self.systems.paces {
            let mut pace = pace.lock();
            pace.tick = self.tick_length;
            pace.elapsed = input.u64()? as i64;
            pace.carried = input.u64()? as i64;
        }
        self.world.read_image(&mut input)?;
        input.finish()
    }

    fn check_modules<R: Read>(&self, input: &mut In<'_, R>) -> Result<(), ImageError> {
        let mut image = Vec::new();
        for _ in 0..input.u64()? {
            let name = String::from_utf8_lossy(input.blob()?).into_owned();
            image.push((name, input.array::<32>()?));
        }
        let describe = |module: &ModuleDescription| (module.name.clone(), module.hash().0);
        let simulation: Vec<(String, [u8; 32])> = self.modules().iter().map(describe).collect();
        if image == simulation {
            return Ok(());
        }
        let show = |modules: &[(String, [u8; 32])]| {
            let show = |(name, hash): &(String, [u8; 32])| {
                let start: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{name} ({start})")
            };
            modules.iter().map(show).collect::<Vec<_>>().join(", ")
        };
        Err(ImageError::Modules { image: show(&image), simulation: show(&simulation) })
    }
}

fn write_config<W: Write>(config: &Config, out: &mut Out<'_, W>) -> io::Result<()> {
    let Config { region, cell_size, cell_margin, seed, limits } = config;
    out.u64(u64::from(*region))?;
    out.u64(u64::from(cell_size.to_bits()))?;
    out.u64(u64::from(cell_margin.to_bits()))?;
    out.u64(*seed)?;
    let Limits {
        rows_per_type,
        row_bytes,
        tx_changes,
        tx_bytes,
        commit_changes,
        commit_bytes,
        events,
        session_ops,
        timers,
        detached,
    } = limits;
    let limits = [rows_per_type, row_bytes, tx_changes, tx_bytes, commit_changes, commit_bytes];
    limits.iter().try_for_each(|limit| out.u64(**limit as u64))?;
    [events, session_ops, timers, detached].iter().try_for_each(|limit| out.u64(**limit as u64))
}

fn read_config<R: Read>(input: &mut In<'_, R>) -> Result<Config, ImageError> {
    let region = input.u64()? as u16;
    let [cell_size, cell_margin] = [input.u64()?, input.u64()?].map(|bits| f32::from_bits(bits as u32));
    let seed = input.u64()?;
    let mut limit = || input.u64().map(|limit| limit as usize);
    let limits = Limits {
        rows_per_type: limit()?,
        row_bytes: limit()?,
        tx_changes: limit()?,
        tx_bytes: limit()?,
        commit_changes: limit()?,
        commit_bytes: limit()?,
        events: limit()?,
        session_ops: limit()?,
        timers: limit()?,
        detached: limit()?,
    };
    Ok(Config { region, cell_size, cell_margin, seed, limits })
}
