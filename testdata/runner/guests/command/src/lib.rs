//! A command for the tests of `warg run`. Each argument is something to do; each answer is a line.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};

struct Guest;

wasip2::cli::command::export!(Guest);

impl wasip2::exports::cli::run::Guest for Guest {
    fn run() -> Result<(), ()> {
        let mut arguments = env::args();
        let name = arguments.next().unwrap_or_default();
        let rest: Vec<String> = arguments.collect();
        if rest.is_empty() {
            println!("{name}: nothing to do");
        }
        for argument in &rest {
            let (verb, what) = argument.split_once('=').unwrap_or((argument, ""));
            match act(verb, what, &name, &rest) {
                Ok(answer) => println!("{verb}: {answer}"),
                Err(error) => println!("{verb}: error: {error}"),
            }
        }
        if rest.iter().any(|argument| argument == "fail") { Err(()) } else { Ok(()) }
    }
}

fn act(verb: &str, what: &str, name: &str, rest: &[String]) -> io::Result<String> {
    Ok(match verb {
        "name" => name.to_owned(),
        "arguments" => format!("{rest:?}"),
        "environment" => {
            let mut all: Vec<_> = env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            all.sort();
            format!("{all:?}")
        }
        "list" => {
            let mut names = Vec::new();
            for entry in fs::read_dir(what)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            format!("{names:?}")
        }
        "read" => fs::read_to_string(what)?,
        "write" => {
            fs::write(what, "written by the guest")?;
            "done".to_owned()
        }
        "stdin" => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            text
        }
        "stderr" => {
            writeln!(io::stderr(), "{what}")?;
            "done".to_owned()
        }
        "lookup" => {
            let found = (what, 80).to_socket_addrs()?;
            format!("{} found", found.count().min(1))
        }
        "connect" => {
            let mut stream = TcpStream::connect(what)?;
            stream.write_all(b"hello\n")?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            text
        }
        "listen" => {
            TcpListener::bind(what)?;
            "listens".to_owned()
        }
        "memory" => {
            let mut kept: Vec<Vec<u8>> = Vec::new();
            for _ in 0..what.parse::<usize>().unwrap_or(1) {
                kept.push(vec![1; 1 << 20]);
            }
            format!("{} MiB", kept.len())
        }
        "clock" => {
            let later = std::time::SystemTime::now() > std::time::SystemTime::UNIX_EPOCH;
            format!("{later}")
        }
        "loop" => loop {
            std::hint::spin_loop();
        },
        "trap" => std::process::abort(),
        "exit" => {
            wasip2::cli::exit::exit_with_code(what.parse().unwrap_or(0));
            String::new()
        }
        _ => "unknown".to_owned(),
    })
}
