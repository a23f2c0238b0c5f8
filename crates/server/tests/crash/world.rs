//! A registry's data directory, and everybody who has to do with it over all restarts.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use wargate_registry::fsck::Depth;

use crate::dice::Dice;
use crate::http::Client;
use crate::load::{Published, Publisher, Trigger};
use crate::server::{self, Environment, Server, assert_clean};
use crate::witness::Witness;

const PUBLISHERS: usize = 6;
/// Before a kill under load there are less acknowledgements than this.
const ACKNOWLEDGEMENTS: u64 = 60;
/// Turns of a loop within which a server is killed that starts: about the time that it takes.
const START_TURNS: u64 = 2_000_000;
/// Turns between the last acknowledgement and the kill: about the time of a request.
const REQUEST_TURNS: u64 = 40_000;

pub(crate) struct World {
    data_dir: PathBuf,
    dice: Dice,
    publishers: Vec<Publisher>,
    witness: Witness,
    kills_in_start: u32,
    kills_under_load: u32,
}

impl World {
    pub(crate) fn new(data_dir: &Path, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let publishers = (0..PUBLISHERS).map(|number| Publisher::new(number, dice.next()));
        Self {
            data_dir: data_dir.to_owned(),
            publishers: publishers.collect(),
            dice,
            witness: Witness::new(),
            kills_in_start: 0,
            kills_under_load: 0,
        }
    }

    pub(crate) fn start(&self, environment: &Environment) -> Server {
        server::start(&self.data_dir, environment).ready().unwrap()
    }

    /// Starts the server, checks what the last kill has left, and kills the server again: while it
    /// starts, or under load. `aside` is called when somebody else than the server has written.
    pub(crate) fn round(&mut self, environment: &Environment, aside: impl FnOnce()) {
        if self.dice.one_in(8) {
            return self.kill_in_start(environment);
        }
        // What a kill leaves is taken up by whoever comes first: the oracle or the server.
        let depth = if self.dice.one_in(4) { Depth::Bytes } else { Depth::Names };
        let oracle_first = self.dice.one_in(2);
        if oracle_first {
            assert_clean(&self.data_dir, depth);
            aside();
        }
        let server = self.start(environment);
        if !oracle_first {
            assert_clean(&self.data_dir, depth);
        }
        self.check(&server);
        let (after, between) = (self.dice.below(ACKNOWLEDGEMENTS), self.dice.one_in(2));
        self.kill_under_load(server, after, between);
    }

    fn kill_in_start(&mut self, environment: &Environment) {
        self.kills_in_start += 1;
        let mut starting = server::start(&self.data_dir, environment);
        if self.dice.one_in(4) {
            starting.wait_for_output();
        } else {
            self.dice.hesitate(START_TURNS);
        }
        starting.kill();
    }

    /// Publishes, and kills the server after so many acknowledgements, or when after these the next
    /// request has been sent.
    pub(crate) fn kill_under_load(&mut self, server: Server, after: u64, between: bool) {
        self.kills_under_load += 1;
        let moment = self.dice.next();
        let kill = || {
            Dice::new(moment).hesitate(REQUEST_TURNS);
            server.kill();
        };
        self.publish(&server, &Trigger::new(after, between, kill));
        server.assert_killed();
    }

    /// Publishes until the server has gone, which the trigger must have caused.
    pub(crate) fn publish(&mut self, server: &Server, trigger: &Trigger<'_>) {
        self.publish_times(server, u64::MAX, trigger);
        assert!(trigger.has_fired(), "the server has gone by itself");
    }

    /// Every publisher makes so many steps. Returns how often they were told to come again later.
    pub(crate) fn publish_times(
        &mut self,
        server: &Server,
        times: u64,
        trigger: &Trigger<'_>,
    ) -> u64 {
        let (bell, rings) = mpsc::channel();
        let (witness, address) = (&mut self.witness, server.address);
        thread::scope(|scope| {
            scope.spawn(move || witness.watch(address, &rings));
            let mut threads = Vec::new();
            for publisher in &mut self.publishers {
                let bell = bell.clone();
                let publish = move || publisher.publish(address, times, trigger, bell);
                threads.push(scope.spawn(publish));
            }
            // The witness goes when all publishers have gone.
            drop(bell);
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    }

    /// All that must hold after a restart.
    pub(crate) fn check(&mut self, server: &Server) {
        let mut client = Client::connect(server.address).unwrap();
        for publisher in &mut self.publishers {
            publisher.confirm(&mut client);
        }
        self.witness.follow(&mut client, published(&self.publishers));
    }

    /// How many records were acknowledged.
    pub(crate) fn published(&self) -> usize {
        published(&self.publishers).count()
    }

    /// The last restart: everything once more, from the start.
    pub(crate) fn finish(mut self, environment: &Environment) {
        assert_clean(&self.data_dir, Depth::Bytes);
        let server = self.start(environment);
        self.check(&server);
        let mut client = Client::connect(server.address).unwrap();
        self.witness.follow_from_the_start(&mut client, published(&self.publishers));
        server.stop();
        assert_clean(&self.data_dir, Depth::Bytes);
        let (fetched, lengths) = self.witness.count();
        eprintln!(
            "{} kills under load, {} while starting; {} records acknowledged; {fetched} checkpoints \
             of {lengths} lengths",
            self.kills_under_load,
            self.kills_in_start,
            self.published()
        );
    }
}

fn published(publishers: &[Publisher]) -> impl Iterator<Item = &Published> + Clone {
    publishers.iter().flat_map(Publisher::published)
}
