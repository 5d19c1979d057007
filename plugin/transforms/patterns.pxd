# That this file is there has Cython compile patterns.py; its functions take any objects.
