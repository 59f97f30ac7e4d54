"""Tests of the client and the codec, without Home Assistant."""
