//! PostgreSQL and Redis: the same bet by a function in the server, one round trip a request, one commit a request.

use std::{path::Path, time::Duration};

use postgres::{Client, Config, NoTls, Statement};
use redis::Script;

use crate::bets::{ACCOUNTS, Bet, Fault, PRICE_E4, STAKE, Shape, Sums};

const SCHEMA: &str = include_str!("place.sql");
const SCRIPT: &str = include_str!("place.lua");

/// A connection to PostgreSQL.
pub(crate) struct Postgres {
    client: Client,
    place: Statement,
}

fn client(dir: &Path) -> Result<Client, Fault> {
    Ok(Config::new().host_path(dir).user("postgres").dbname("postgres").connect(NoTls)?)
}

impl Postgres {
    pub(crate) fn connect(dir: &Path) -> Result<Postgres, Fault> {
        let mut client = client(dir)?;
        // All bets of a request in one statement, and so in one transaction.
        let place = client.prepare(
            "SELECT place(request, account, selection, $4, $5) \
             FROM unnest($1::bigint[], $2::int[], $3::int[]) WITH ORDINALITY \
             AS asked (request, account, selection, at) ORDER BY at",
        )?;
        Ok(Postgres { client, place })
    }

    pub(crate) fn place(&mut self, bets: &[Bet]) -> Result<Vec<bool>, Fault> {
        let requests: Vec<i64> = bets.iter().map(|bet| bet.key as i64).collect();
        let accounts: Vec<i32> = bets.iter().map(|bet| bet.account as i32).collect();
        let selections: Vec<i32> = bets.iter().map(|bet| i32::from(bet.selection())).collect();
        let price = PRICE_E4 as i32;
        let rows =
            self.client.query(&self.place, &[&requests, &accounts, &selections, &STAKE, &price])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Empty tables, and accounts with their money.
    pub(crate) fn begin(dir: &Path, shape: Shape) -> Result<(), Fault> {
        let mut client = client(dir)?;
        client.batch_execute(SCHEMA)?;
        client.execute(
            "INSERT INTO accounts SELECT id, $1 FROM generate_series(0, $2) AS id",
            &[&shape.balance(), &(ACCOUNTS as i32 - 1)],
        )?;
        client.batch_execute("VACUUM ANALYZE accounts, prices")?;
        client.batch_execute("CHECKPOINT")?;
        Ok(())
    }

    pub(crate) fn sums(dir: &Path) -> Result<Sums, Fault> {
        let mut client = client(dir)?;
        let row = client.query_one(
            "SELECT (SELECT count(*) FROM bets WHERE accepted), \
             (SELECT sum(balance)::bigint FROM accounts)",
            &[],
        )?;
        Ok(Sums { placed: row.get::<_, i64>(0) as u64, balances: row.get(1) })
    }

    /// Of its write-ahead log, since it was started. A connection tells its own when it ends.
    pub(crate) fn syncs(dir: &Path) -> Result<u64, Fault> {
        std::thread::sleep(Duration::from_millis(300));
        let row = client(dir)?.query_one("SELECT wal_sync FROM pg_stat_wal", &[])?;
        Ok(row.get::<_, i64>(0) as u64)
    }

    pub(crate) fn version(dir: &Path) -> Result<String, Fault> {
        let row = client(dir)?.query_one("SHOW server_version", &[])?;
        let version: String = row.get(0);
        Ok(version.split(' ').next().unwrap_or_default().to_owned())
    }
}

/// A connection to Redis.
pub(crate) struct Redis {
    connection: redis::Connection,
    script: Script,
}

impl Redis {
    pub(crate) fn connect(socket: &Path) -> Result<Redis, Fault> {
        let client = redis::Client::open(format!("unix://{}", socket.display()))?;
        let mut connection = client.get_connection()?;
        let script = Script::new(SCRIPT);
        script.prepare_invoke().load(&mut connection)?;
        Ok(Redis { connection, script })
    }

    pub(crate) fn place(&mut self, bets: &[Bet]) -> Result<Vec<bool>, Fault> {
        // All bets of a request in one pipeline: read at once, and written to the file at once.
        let mut pipe = redis::pipe();
        for bet in bets {
            let mut asked = self.script.key(format!("bet:{}", bet.key));
            asked.key(format!("account:{}", bet.account));
            asked.key(format!("price:{}", bet.selection())).arg(STAKE).arg(PRICE_E4);
            pipe.invoke_script(&asked);
        }
        Ok(pipe.query(&mut self.connection)?)
    }

    /// Nothing, and then accounts with their money.
    pub(crate) fn begin(socket: &Path, shape: Shape) -> Result<(), Fault> {
        let mut redis = Redis::connect(socket)?;
        let mut pipe = redis::pipe();
        pipe.cmd("FLUSHALL").arg("SYNC").ignore();
        for account in 0..ACCOUNTS {
            pipe.set(format!("account:{account}"), shape.balance()).ignore();
        }
        for selection in 0..3 {
            pipe.set(format!("price:{selection}"), PRICE_E4).ignore();
        }
        Ok(pipe.query(&mut redis.connection)?)
    }

    pub(crate) fn sums(socket: &Path, shape: Shape) -> Result<Sums, Fault> {
        let mut redis = Redis::connect(socket)?;
        let mut pipe = redis::pipe();
        for account in 0..ACCOUNTS {
            pipe.get(format!("account:{account}"));
        }
        let balances: Vec<i64> = pipe.query(&mut redis.connection)?;
        let mut pipe = redis::pipe();
        for connection in 1..=u64::from(shape.connections) {
            for at in 0..(shape.requests * shape.batch) as u64 {
                pipe.hget(format!("bet:{}", connection << 32 | at), "accepted");
            }
        }
        let accepted: Vec<Option<u64>> = pipe.query(&mut redis.connection)?;
        let placed = accepted.into_iter().flatten().sum();
        Ok(Sums { placed, balances: balances.into_iter().sum() })
    }

    pub(crate) fn version(socket: &Path) -> Result<String, Fault> {
        let mut redis = Redis::connect(socket)?;
        let info: String = redis::cmd("INFO").arg("server").query(&mut redis.connection)?;
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        Ok(version.unwrap_or("of no version").to_owned())
    }
}
