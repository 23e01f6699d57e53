//! What a segment, a snapshot and a recording begin with, so that they can be read without the module: the
//! descriptions of the modules they were written with.

use evertick_schema::{Duration, ModuleDescription};
use evertick_world::{Config, RegisterError, Simulation, World};

use super::bytes::{Input, Malformed, put_blob, put_signed, put_varint};

/// The version of the record format. Others are refused.
pub(crate) const FORMAT: u64 = 1;

/// What records refer to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preamble {
    /// Counts up with each change of the modules' descriptions.
    pub(crate) generation: u64,
    /// The world's settings, but for its limits.
    pub(crate) region: u16,
    pub(crate) seed: u64,
    pub(crate) cell_size: f32,
    pub(crate) cell_margin: f32,
    /// Simulated time of one tick.
    pub(crate) tick: Duration,
    /// The modules in the order they are loaded in.
    pub(crate) modules: Vec<ModuleDescription>,
}

impl Preamble {
    /// That of a simulation.
    pub(crate) fn of(generation: u64, simulation: &Simulation) -> Self {
        let Config { region, seed, cell_size, cell_margin, limits: _ } = *simulation.world().config();
        let (tick, modules) = (simulation.tick_length(), simulation.modules().to_vec());
        Self { generation, region, seed, cell_size, cell_margin, tick, modules }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, FORMAT);
        put_varint(&mut out, self.generation);
        put_varint(&mut out, u64::from(self.region));
        put_varint(&mut out, self.seed);
        out.extend_from_slice(&self.cell_size.to_le_bytes());
        out.extend_from_slice(&self.cell_margin.to_le_bytes());
        put_signed(&mut out, self.tick.0);
        put_varint(&mut out, self.modules.len() as u64);
        self.modules.iter().for_each(|module| put_blob(&mut out, &module.to_json()));
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input::new(bytes);
        if input.varint()? != FORMAT {
            return input.malformed("a format that this version does not know");
        }
        let (generation, region, seed) = (input.varint()?, input.small()?, input.varint()?);
        let cell_size = f32::from_le_bytes(input.array()?);
        let cell_margin = f32::from_le_bytes(input.array()?);
        let tick = Duration(input.signed()?);
        let mut modules = Vec::new();
        for _ in 0..input.count()? {
            let json = input.blob()?;
            match ModuleDescription::from_json(json) {
                Ok(module) => modules.push(module),
                Err(_) => return input.malformed("a module's description that can't be read"),
            }
        }
        if !input.is_empty() {
            return input.malformed("more than is due");
        }
        Ok(Self { generation, region, seed, cell_size, cell_margin, tick, modules })
    }

    /// The settings of the world, with the usual limits.
    pub(crate) fn config(&self) -> Config {
        let Self { region, seed, cell_size, cell_margin, .. } = *self;
        Config { region, seed, cell_size, cell_margin, ..Config::default() }
    }

    /// An empty world with the row types of the modules, without their code.
    pub(crate) fn world(&self) -> Result<World, RegisterError> {
        let mut world = World::new(self.config());
        for module in &self.modules {
            world.register(&module.name, &module.rows)?;
        }
        Ok(world)
    }
}
