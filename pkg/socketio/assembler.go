package socketio

// Assembler puts binary packets together: the text packet first, then as many
// binary messages as it announced. The zero value is ready for use. It is for one
// connection and not safe for use by several goroutines.
//
//	idle --Packet, no attachments--> done
//	idle --Packet, n attachments---> waiting --Binary, n times--> done
//	done --Take--> idle
//
// An error ends the connection; the assembler is then idle again and keeps
// nothing.
type Assembler struct {
	// MaxBytes bounds a packet's data and attachments together; 0 stands for
	// the default of Limits.MessageBytes.
	MaxBytes int

	packet      Packet
	attachments [][]byte
	missing     int
	bytes       int
}

// Packet takes a text packet that Parse accepted. When done, call Take; a packet
// without attachments is handed back as it came, without a copy. ErrText is
// returned while attachments of an earlier packet are missing.
func (a *Assembler) Packet(p Packet) (done bool, err error) {
	if a.missing > 0 {
		a.Reset()
		return false, ErrText
	}
	if p.Attachments <= 0 {
		a.packet, a.attachments = p, nil
		return true, nil
	}
	if len(p.Data) > a.limit() {
		return false, ErrTooLarge
	}
	a.packet, a.missing, a.bytes = p, p.Attachments, len(p.Data)
	a.packet.Data = append(make([]byte, 0, len(p.Data)), p.Data...)
	return false, nil
}

// Binary takes the next attachment and copies it. An attachment that the packet
// never refers to is counted and forgotten: it comes out of Take empty.
func (a *Assembler) Binary(b []byte) (done bool, err error) {
	if a.missing == 0 {
		a.Reset()
		return false, ErrBinary
	}
	n := len(a.attachments)
	var kept []byte
	if n >= 64 || a.packet.unused>>n&1 == 0 {
		if a.bytes += len(b); a.bytes > a.limit() {
			a.Reset()
			return false, ErrTooLarge
		}
		kept = append(make([]byte, 0, len(b)), b...)
	}
	a.attachments = append(a.attachments, kept)
	a.missing--
	return a.missing == 0, nil
}

// Take gives the finished packet and its attachments, which are the caller's, and
// makes the assembler idle. Call it only after done was reported.
func (a *Assembler) Take() (Packet, [][]byte) {
	p, att := a.packet, a.attachments
	a.Reset()
	return p, att
}

// Waiting reports whether attachments are missing: only binary messages are
// allowed now.
func (a *Assembler) Waiting() bool { return a.missing > 0 }

// Reset forgets everything but MaxBytes.
func (a *Assembler) Reset() { *a = Assembler{MaxBytes: a.MaxBytes} }

func (a *Assembler) limit() int {
	if a.MaxBytes > 0 {
		return a.MaxBytes
	}
	return DefaultLimits().MessageBytes
}
