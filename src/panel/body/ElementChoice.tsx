import { type FormEvent, useId, useState } from 'react';
import { shapeText } from '../model/names';
import { type Compared, parseIndex, ravel } from '../model/tensorOf';

/** Asks for the index of an element of a tensor that is too large to be drawn. */
export function ElementChoice({ tensor, choose }: { tensor: Compared; choose: (flat: number) => void }) {
  const [text, setText] = useState(tensor.shape.map(() => 0).join(', '));
  const [wrong, setWrong] = useState(false);
  const id = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const index = parseIndex(text, tensor.shape);
    const flat = index && ravel(index, tensor.shape);
    setWrong(flat === null);
    if (flat !== null) choose(flat);
  };
  return (
    <form className='jp-Torchtwin-choice' onSubmit={submit}>
      <label htmlFor={id}>element of {shapeText(tensor.shape)}</label>
      <input id={id} value={text} onChange={(event) => setText(event.target.value)} aria-invalid={wrong} />
      <button type='submit' className='jp-Torchtwin-button'>
        Show
      </button>
      {wrong && <span role='alert'>An index into {shapeText(tensor.shape)} is needed, counted from 0.</span>}
    </form>
  );
}
