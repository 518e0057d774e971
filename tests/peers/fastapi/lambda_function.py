"""The same application as Lambda runs it: behind Lambda's own runtime for Python, with Mangum between."""

import asyncio

import uvloop
from mangum import Mangum

import main

loop = uvloop.new_event_loop()
asyncio.set_event_loop(loop)
# Once for an instance: Mangum's own way would open and close the pool with each request.
loop.run_until_complete(main.lifespan(main.app).__aenter__())
handler = Mangum(main.app, lifespan="off")
