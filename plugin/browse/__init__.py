"""Finding, following and searching the journals of many containers: for the command line and the web page."""
