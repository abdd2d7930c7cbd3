import { type ReactNode, useId } from 'react';
import { useReading } from './context';

interface Props {
  title: string;
  remark: string;
  children: ReactNode;
}

/** A part of the panel under a heading that folds it. */
export function Section({ title, remark, children }: Props) {
  const reading = useReading();
  const open = !reading.isFolded(title);
  const id = useId();
  return (
    <section aria-labelledby={`${id}title`} className='jp-Torchtwin-section'>
      <h2 className='jp-Torchtwin-heading'>
        <button
          type='button'
          aria-expanded={open}
          aria-controls={`${id}body`}
          onClick={() => reading.fold(title, open)}
        >
          <Chevron />
          <span id={`${id}title`}>{title}</span> <span className='jp-Torchtwin-remark'>{remark}</span>
        </button>
      </h2>
      <div id={`${id}body`} hidden={!open}>
        {open && children}
      </div>
    </section>
  );
}

/** Points right; the style sheet turns it down inside a button that is expanded. */
export function Chevron() {
  return (
    <svg className='jp-Torchtwin-chevron' viewBox='0 0 10 10' aria-hidden='true'>
      <path d='M3 1.5 7 5 3 8.5' />
    </svg>
  );
}
