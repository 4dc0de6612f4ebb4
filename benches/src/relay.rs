//! The floor: bytes copied from socket to socket, with no idea of what they mean. What a proxy costs above this is its own.

use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    runtime::{Builder, LocalOptions},
    task::spawn_local,
};

/// As much as one read takes; several rows answer with more.
const BUFFER: usize = 64 << 10;

/// Relays until it is killed, on one thread.
pub(crate) fn run(listen: SocketAddr, server: SocketAddr) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        loop {
            let (client, _) = listener.accept().await?;
            spawn_local(async move {
                // Whoever breaks off ends both connections; there is nobody to tell.
                let _ = relay(client, server).await;
            });
        }
    })
}

async fn relay(mut client: TcpStream, server: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(copy(from_client, to_server), copy(from_server, to_client))?;
    Ok(())
}

async fn copy(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..count]).await?;
    }
}
