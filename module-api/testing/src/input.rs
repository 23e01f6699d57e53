//! Inputs: what a player does for the tick that comes.

use evertick_schema::{Call, ReducerKind};

use crate::world::{MODULE, TestPlayer, TestWorld};

impl TestWorld {
    /// Sends an input, as a client would: `world.input(alice, steer::call(Vec2::X, true))`. It runs at the next tick, before timers and
    /// systems; another one for the same reducer takes its place until then. As on the server nobody is told whether it was
    /// refused, and nothing runs for a player who has disconnected by then.
    ///
    /// # Panics
    ///
    /// When the player is not connected, or the module has no such `#[reducer(input)]`.
    #[track_caller]
    pub fn input<C: Call>(&mut self, player: TestPlayer, input: C) {
        assert!(self.sessions.contains_key(&player.session), "{player:?} is not connected");
        let reducers = &self.description.reducers;
        let is_it = |name: &str, kind| name == C::NAME && kind == ReducerKind::Input;
        let Some(reducer) = reducers.iter().position(|reducer| is_it(&reducer.name, reducer.kind)) else {
            panic!("{} is not an input of module {}: `#[reducer(input)]`", C::NAME, self.description.name);
        };
        let mut args = Vec::new();
        input.encode(&mut args);
        self.inputs.insert((player.session, reducer as u32), args);
    }

    pub(crate) fn run_inputs(&mut self) {
        for ((session, reducer), args) in std::mem::take(&mut self.inputs) {
            let Some(session) = self.sessions.get(&session) else { continue };
            let call = evertick_world::Call { module: MODULE, reducer, args: &args, caller: &session.caller };
            // Faults are among those of the tick.
            drop(self.simulation.input(&call, self.now));
        }
    }
}
