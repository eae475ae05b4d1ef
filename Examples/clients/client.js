#!/usr/bin/env node
// A raftnode client for Node.js, with nothing but its standard library.
//
// usage: client.js HOST:PORT put KEY JSON | get KEY | delete KEY | status

'use strict';

const net = require('node:net');

/** Keeps one connection open; requests may be sent without waiting, and answers come in their order. */
class Client {
  constructor(address) {
    const colon = address.lastIndexOf(':');
    this.waiting = [];
    this.rest = '';
    this.socket = net.connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
    this.socket.setEncoding('utf8');
    this.socket.on('data', (text) => this.receive(text));
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', () => this.fail(new Error('the node closed the connection; a write may have happened')));
  }

  receive(text) {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop();
    for (const line of lines) {
      const { resolve, reject } = this.waiting.shift();
      const answer = JSON.parse(line);
      if (answer.error) reject(Object.assign(new Error(answer.error.message), answer.error));
      else resolve(answer);
    }
  }

  fail(error) {
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }

  ask(request) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      // The newline keeps the connection open for the next request.
      this.socket.write(JSON.stringify(request) + '\n');
    });
  }

  put(key, value) { return this.ask({ type: 'put', key, value }); }
  async get(key) { return (await this.ask({ type: 'get', key })).data.value; }
  delete(key) { return this.ask({ type: 'delete', key }); }
  status() { return this.ask({ type: 'status' }); }
  close() { this.socket.end(); }
}

async function main([address, command, ...words]) {
  const wanted = { put: 2, get: 1, delete: 1, status: 0 };
  if (!address || wanted[command] !== words.length) {
    console.error('usage: client.js HOST:PORT put KEY JSON | get KEY | delete KEY | status');
    process.exit(64);
  }
  const value = command === 'put' ? JSON.parse(words[1]) : undefined;
  const client = new Client(address);
  try {
    switch (command) {
      case 'put': await client.put(words[0], value); console.log('ok'); break;
      case 'get': console.log(JSON.stringify(await client.get(words[0]))); break;
      case 'delete': await client.delete(words[0]); console.log('ok'); break;
      case 'status': console.log(JSON.stringify(await client.status(), null, 2)); break;
    }
  } finally {
    client.close();
  }
}

module.exports = { Client };

if (require.main === module) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.outcome ? `${error.message} (${error.code}, ${error.outcome})` : error.message);
    process.exit(1);
  });
}
