"""TALKS to the Graph API; the only home of the aiohttp client."""
