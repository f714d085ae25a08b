"""What a recording says of a stretch of time: counts, loops, killers, crashes, the last deaths.

Everything here is plain values, made by SQL that counts; exitsnoop.pages shows them.
"""
